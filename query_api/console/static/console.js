// Keeps the page current: a change notice asks the server for the page again and swaps the parts marked data-live.
"use strict";
(() => {
  const state = document.getElementById("state");
  const said = document.getElementById("said");
  if (!state || !window.EventSource) return;

  const show = (name, words) => {
    if (state.dataset.state === name) return;
    state.dataset.state = name;
    state.textContent = words;
  };

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      const today = at.toDateString() === new Date().toDateString();
      const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      time.textContent = today ? clock : `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${clock}`;
      time.title = at.toLocaleString();
    }
  };

  const swap = (fresh) => {
    localise(fresh);
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || next.isEqualNode(part)) continue;
      const before = new Set(Array.from(part.querySelectorAll("[data-order]"), (row) => row.dataset.order));
      const focused = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
      part.replaceChildren(...next.childNodes);
      if (before.size) {
        for (const row of part.querySelectorAll("[data-order]")) {
          if (!before.has(row.dataset.order)) row.classList.add("fresh");
        }
      }
      if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    }
    const words = fresh.getElementById("said")?.textContent ?? "";
    if (said && words !== said.textContent) said.textContent = words;
  };

  let asking = false;
  let again = false;
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-cache" });
      if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The stream tells whether the server is there; the next notice asks again.
    }
    setTimeout(() => {
      asking = false;
      if (again) { again = false; refresh(); }
    }, 1000);
  };

  localise(document);
  const stream = new EventSource(document.body.dataset.stream);
  stream.addEventListener("open", () => { show("live", "Live"); refresh(); });
  stream.addEventListener("error", () => {
    show("retrying", "Disconnected, retrying");
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
  stream.addEventListener("order", refresh);
  stream.addEventListener("reset", refresh);
  setInterval(() => { if (!document.hidden) refresh(); }, 30000);
})();
