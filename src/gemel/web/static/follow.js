// Follows what goes on: a ping or a capture (data-run), and views that are asked to be drawn again (data-follow).
(() => {
  "use strict";
  const AGAIN = 300, LATER = 2000, EVERY = 2000, LINES = 3000;
  const watching = { "X-Gemel-Watching": "1" };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;

  const follow = async (card) => {
    const box = card.querySelector("[data-lines]"), says = card.querySelector("[data-says]");
    let next = Number(card.dataset.next), running = true, lines = box.textContent.split("\n").length;
    while (running) {
      let told = null;
      try {
        const answer = await fetch(`/diagnostics/run/${card.dataset.run}?after=${next}`, { headers: watching, redirect: "manual" });
        if (answer.ok) told = await answer.json();
        else if (answer.status !== 503) { says.textContent = "It is not there any more."; return; }
      } catch { /* tried again below */ }
      if (!told) { await pause(LATER); continue; }
      const stay = atEnd(box);
      if (told.lines.length && lines < LINES) box.append(`${told.lines.join("\n")}\n`);
      lines += told.lines.length;
      if (stay) box.scrollTop = box.scrollHeight;
      ({ next, running } = told);
      const file = card.querySelector("[data-file]");
      const so = running ? `Running for ${Math.round(told.seconds)} s` : `Ended after ${told.seconds} s: ${told.ended}`;
      const held = file ? `; ${told.packets.toLocaleString()} packets, ${told.octets.toLocaleString()} bytes` : "";
      says.textContent = so + held + (told.dropped ? `; ${told.dropped.toLocaleString()} more lines are not shown` : "");
      if (file) file.hidden = !told.octets;
      await pause(AGAIN);
    }
    card.querySelector("[data-while-running]").hidden = true;
  };

  // A checkbox data-follow="ID": while it is ticked the element is drawn again from this page's address. What is longer
  // than its box is kept at its end.
  const again = (box) => {
    const key = "follow " + location.pathname;
    const draw = async () => {
      const old = document.getElementById(box.dataset.follow);
      try {
        const answer = await fetch(location.href, { headers: watching, redirect: "manual" });
        if (!answer.ok) return;
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(box.dataset.follow);
        if (!fresh || old.contains(document.activeElement) && document.activeElement.matches("input, select")) return;
        const where = old.querySelector("[data-scrolls]"), stay = !where || atEnd(where), top = where?.scrollTop ?? 0;
        if (old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes);
        const scrolls = old.querySelector("[data-scrolls]");
        if (scrolls) scrolls.scrollTop = stay ? scrolls.scrollHeight : top;
      } catch { /* the page says by itself that the node is gone */ }
    };
    let timer = 0;
    const run = () => {
      clearInterval(timer);
      try { sessionStorage.setItem(key, box.checked ? "1" : ""); } catch { /* none in private windows */ }
      if (box.checked) { draw(); timer = setInterval(() => { if (!document.hidden) draw(); }, EVERY); }
    };
    try { box.checked = sessionStorage.getItem(key) === "1"; } catch { /* as above */ }
    box.addEventListener("change", run);
    box.closest("[hidden]")?.removeAttribute("hidden");
    const scrolls = document.querySelector(`#${box.dataset.follow} [data-scrolls]`);
    if (scrolls) scrolls.scrollTop = scrolls.scrollHeight;
    run();
  };

  document.addEventListener("submit", (event) => {
    const words = event.target.dataset?.busy, button = event.submitter;
    if (words && button) setTimeout(() => { button.textContent = words; button.disabled = true; });
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-run][data-running]").forEach(follow);
    document.querySelectorAll("[data-follow]").forEach(again);
  });
})();
