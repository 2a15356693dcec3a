"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const theme = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  name();

  // A link to a layer unfolds its page, also where the browser does not by itself.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target && target.closest("details");
    if (!fold) return;
    const body = target.closest("tbody");
    if (body && body.hidden) { clear(); }
    fold.open = true;
    (body || target).scrollIntoView();
  };

  const table = document.getElementById("layer-table");
  let clear = () => {};
  if (table) {
    const bodies = [...table.tBodies];
    const heads = [...table.querySelectorAll("th[data-column]")];
    const key = (body, column) => {
      const cell = body.rows[0].cells[column];
      const value = cell.dataset.v ?? cell.textContent.replace("\u2212", "-").replace(/[\u202f+]/g, "");
      return value === "" ? NaN : Number(value);
    };
    const sort = (head) => {
      const column = Number(head.dataset.column);
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map(bodies.map((body, place) => [body, [key(body, column), place]]));
      // What has no number stays at the end, whichever way one sorts.
      const sorted = [...bodies].sort((a, b) => {
        const [x, i] = keys.get(a), [y, j] = keys.get(b);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || i - j;
        return x === y ? i - j : (x < y ? -1 : 1) * (down ? -1 : 1);
      });
      table.append(...sorted);
    };
    heads.forEach((head) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(head));
      if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
    });

    const words = document.getElementById("filter-words");
    const kind = document.getElementById("filter-kind");
    const found = document.getElementById("filter-found");
    const count = document.getElementById("filter-count");
    const texts = new Map(bodies.map((body) => {
      const link = body.querySelector("th a");
      return [body, ((link.title || link.textContent) + " " + body.rows[0].cells[1].textContent).toLowerCase()];
    }));
    const filter = () => {
      const wanted = words.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      bodies.forEach((body) => {
        const fits = wanted.every((word) => texts.get(body).includes(word)) &&
          (!kind.value || body.dataset.kind === kind.value) && (!found.checked || body.dataset.found);
        body.hidden = !fits;
        left += fits;
      });
      count.textContent = left + " of " + bodies.length + " layers";
    };
    clear = () => { words.value = ""; kind.value = ""; found.checked = false; filter(); };
    [words, kind, found].forEach((control) => control.addEventListener("input", filter));
    filter();

    table.addEventListener("click", (event) => {
      const row = event.target.closest("tbody tr:first-child");
      if (!row || event.target.closest("a, button") || getSelection().toString()) return;
      const fold = row.parentNode.querySelector("details");
      fold.open = !fold.open;
    });
  }
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
