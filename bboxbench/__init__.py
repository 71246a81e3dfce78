"""bboxbench shows why a bounding-box network does not learn.

The rooms of the house, each imported on its own so that light work stays light:

- ``bboxbench.data_gen``: pictures of letters with boxes exact to the pixel (no TensorFlow needed)
- ``bboxbench.losses``: bounding-box losses for any Keras project
- ``bboxbench.metrics``: box accuracy and mean IoU as Keras metrics
- ``bboxbench.experiments``: loss x initializer x seed, trained, journalled and tabulated
- ``bboxbench.boxes``: box formats and geometry in NumPy
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
