"use strict";
// What it adds, the page can do without: sorting, filtering, copying.
(() => {
  const table = document.getElementById("all");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const moved = document.getElementById("moved");
  const words = document.getElementById("words");
  const shown = document.getElementById("shown");
  const text = new Map(rows.map((row) => [row, row.cells[0].textContent.toLowerCase()]));

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numbers = "number" in head.dataset;
      const was = head.getAttribute("aria-sort");
      const down = was ? was === "ascending" : numbers;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => (numbers ? parseFloat(row.cells[column].textContent) : text.get(row).trim());
      const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
      body.append(...rows.sort((a, b) => (down ? order(b, a) : order(a, b))));
    });
  });

  const fits = (row) => {
    const wanted = moved ? moved.value : "";
    const up = row.querySelector("td.up") !== null;
    const down = row.querySelector("td.down") !== null;
    const move = !wanted || (wanted === "gained" && up) || (wanted === "lost" && down) || (wanted === "changed" && (up || down));
    return move && words.value.toLowerCase().split(/\s+/).every((word) => text.get(row).includes(word));
  };
  const filter = () => {
    let count = 0;
    for (const row of rows) {
      row.hidden = !fits(row);
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${rows.length} queries`;
  };
  const form = document.getElementById("filter");
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  for (const command of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const code = command.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // a file:// page may not write to the clipboard: the reader copies
        button.textContent = "Selected";
      }
    });
    command.append(button);
  }
})();
