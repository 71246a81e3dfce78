"use strict";
// Sorting and filtering only: everything is on the page without it.
(() => {
  const all = (where, what) => [...where.querySelectorAll(what)];
  const low = (text) => text.trim().toLowerCase();

  // A click on a head sorts by its column; a second one turns the order round. What is missing stays last.
  function sortable(table) {
    const body = table.tBodies[0];
    all(table, "thead th").forEach((head, column) => {
      if (head.hasAttribute("data-plain")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("n");
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : numeric;
        all(table, "thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = [...body.rows].map((row) => {
          const cell = row.cells[column];
          const text = cell.dataset.value ?? cell.textContent.trim();
          return { row, key: numeric ? (text === "" ? NaN : Number(text)) : text.toLowerCase() };
        });
        const missing = ({ key }) => key === "" || Number.isNaN(key);
        keyed.sort((a, b) => {
          if (missing(a) || missing(b)) return missing(a) - missing(b);
          const order = numeric ? a.key - b.key : a.key.localeCompare(b.key, "en", { numeric: true });
          return down ? -order : order;
        });
        body.append(...keyed.map(({ row }) => row));
      });
    });
  }

  function tools(name, apply) {
    const form = document.querySelector(`form[data-tools=${name}]`);
    if (!form) return;
    form.hidden = false;
    const run = () => {
      const values = Object.fromEntries(new FormData(form));
      form.querySelector("output").textContent = apply(values);
    };
    form.addEventListener("input", run);
    form.addEventListener("reset", () => setTimeout(run));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  const said = (count, all, noun) => (count === all ? "" : count ? `${count} of ${all} ${noun}` : "nothing matches");

  function shown(rows, fits, noun) {
    let count = 0;
    for (const row of rows) {
      row.hidden = !fits(row);
      count += !row.hidden;
    }
    // Heads above nothing look like a fault.
    rows[0].closest(".scroll").hidden = count === 0;
    return said(count, rows.length, noun);
  }

  all(document, "table[data-sortable]").forEach(sortable);

  const grid = document.querySelector(".grid tbody");
  if (grid) {
    const original = [...grid.rows];
    tools("grid", ({ loss, state, order }) => {
      const turn = { best: -1, worst: 1 }[order];
      const rate = (row) => Number(row.dataset.rate);
      const rows = turn ? [...original].sort((a, b) => turn * (rate(a) - rate(b))) : original;
      grid.append(...rows);
      let squares = 0;
      let total = 0;
      for (const row of rows) {
        let any = false;
        for (const square of all(row, ".square:not(.none)")) {
          const fits = low(row.dataset.loss).includes(low(loss)) && (!state || square.dataset.states.split(" ").includes(state));
          square.classList.toggle("off", !fits);
          any ||= fits;
          squares += fits;
          total += 1;
        }
        row.hidden = !any;
      }
      grid.closest("table").hidden = squares === 0;
      return said(squares, total, "squares");
    });
  }

  const runs = document.getElementById("runs-table");
  if (runs) {
    const rows = [...runs.tBodies[0].rows];
    tools("runs", ({ loss, group = "", state, text }) =>
      shown(
        rows,
        (row) =>
          (!loss || row.dataset.loss === loss) &&
          (!group || row.dataset.group === group) &&
          (!state || row.dataset.state === state) &&
          low(row.textContent).includes(low(text)),
        "runs",
      ),
    );
  }

  const pairs = document.getElementById("pairs");
  if (pairs) {
    const rows = [...pairs.tBodies[0].rows];
    tools("pairs", ({ text }) => shown(rows, (row) => low(row.textContent).includes(low(text)), "pairs"));
  }

  // What is folded away belongs on paper, too.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all(document, "details:not([open])");
    folded.forEach((each) => (each.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((each) => (each.open = false)));
})();
