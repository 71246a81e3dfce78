"""``python -m bboxbench`` is the command ``bboxbench``."""

from bboxbench.cli import main

if __name__ == "__main__":
    main()
