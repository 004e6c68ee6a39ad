// Keeps pages live, by the server-sent events of /api/v1/events. A page subscribes with attributes:
//
//   <div id="roles" data-live="status">           drawn again, from this page's own address, at each event "status";
//                                                 more than one event: data-live="status happened". It needs an id.
//   <div id="x" … data-live-from="/around">       drawn again from another address, which has an element of the same id
//   <span data-figure="states"></span>            the last value of that name in the event "figures", every second
//
// A part in which somebody is typing is left alone. Scripts hear each event: document.addEventListener("gemel:figures",
// (event) => event.detail), with the events of gemel/api/events.py: status, happened, figures, over.
(() => {
  "use strict";
  const LOST_AFTER = 4000, REOPEN_AFTER = 2000, GIVEN_UP_AFTER = 10000, HIDDEN_FOR = 20000, BETWEEN = 200;
  const EVENTS = ["status", "happened", "figures", "over"];
  let stream = null, heard = 0, heardAt = null, opened = 0, over = false, lost = false, version = "", hiding = 0;
  const asked = new Map(); // address -> {busy, again}
  const shown = new Map(); // id -> what the server last sent for it

  const parts = (event) =>
    [...document.querySelectorAll("[data-live]")].filter((p) => p.id && (!event || p.dataset.live.split(" ").includes(event)));
  const address = (part) => part.dataset.liveFrom || location.pathname + location.search;

  // Drawing again -------------------------------------------------------------------------------------------------

  const path = (element, root) => {
    const steps = [];
    for (let e = element; e !== root; e = e.parentElement) steps.unshift([...e.parentElement.children].indexOf(e));
    return steps;
  };

  const replace = (old, fresh) => {
    if (shown.get(old.id) === fresh.outerHTML) return;
    const active = document.activeElement;
    const within = old.contains(active) && active !== old;
    if (within && active.matches("input, select, textarea")) return;
    shown.set(old.id, fresh.outerHTML);
    if (old.isEqualNode(fresh)) return;
    const where = within ? path(active, old) : null;
    fresh = document.adoptNode(fresh);
    old.replaceWith(fresh);
    if (window.htmx) htmx.process(fresh);
    if (where) where.reduce((e, i) => e?.children[i], fresh)?.focus?.();
    document.dispatchEvent(new CustomEvent("gemel:drawn", { detail: fresh }));
  };

  const draw = async (from) => {
    const state = asked.get(from) || { busy: false, again: false };
    asked.set(from, state);
    if (state.busy) { state.again = true; return; }
    state.busy = true;
    try {
      const answer = await fetch(from, { headers: { "X-Gemel-Watching": "1" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") ended();
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of parts().filter((p) => address(p) === from)) {
          const fresh = page.getElementById(part.id);
          if (fresh) replace(part, fresh);
        }
      }
    } catch { /* the node is gone: that is said by `look` */ }
    await new Promise((done) => setTimeout(done, BETWEEN));
    state.busy = false;
    if (state.again) { state.again = false; draw(from); }
  };

  const drawAll = (event) => new Set(parts(event).map(address)).forEach(draw);

  // The stream ----------------------------------------------------------------------------------------------------

  const say = (text, link) => {
    const place = document.getElementById("lost");
    place.textContent = text;
    if (link) place.append(" ", Object.assign(document.createElement("a"), { href: link, textContent: "Log in" }));
    place.hidden = !text;
  };

  const ended = () => {
    if (over) return;
    over = true;
    stream?.close();
    say("This session has ended.", `/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  };

  const hear = (event) => {
    heard = performance.now();
    heardAt = new Date();
    if (lost) { lost = false; say(""); drawAll(); }
    const data = JSON.parse(event.data);
    document.dispatchEvent(new CustomEvent(`gemel:${event.type}`, { detail: data }));
    if (event.type === "over") { ended(); return; }
    if (event.type === "figures") {
      document.querySelectorAll("[data-figure]").forEach((e) => {
        const value = [data[e.dataset.figure]].flat().at(-1);
        if (value !== undefined) e.textContent = value === null ? "" : String(value);
      });
    }
    if (event.type === "status") {
      const now = event.lastEventId.slice(0, event.lastEventId.lastIndexOf("."));
      if (now === version) return; // the page was made of it
      version = now;
    }
    drawAll(event.type);
  };

  const open = () => {
    stream?.close();
    if (over) return;
    opened = performance.now();
    stream = new EventSource(document.body.dataset.stream);
    EVENTS.forEach((name) => stream.addEventListener(name, hear));
  };

  // Once a second: is there still somebody at the other end?
  const look = () => {
    if (over || document.hidden) return;
    const now = performance.now();
    if (stream.readyState === EventSource.CLOSED && now - opened > REOPEN_AFTER) {
      open();
      draw(`/around?at=${encodeURIComponent(location.pathname)}`); // is it only the session?
    } else if (now - Math.max(heard, opened) > GIVEN_UP_AFTER) open();
    if (now - Math.max(heard, began) <= LOST_AFTER) return;
    lost = true;
    const since = heardAt ? `since ${heardAt.toLocaleTimeString()}` : "since this page was loaded";
    say(`No news from ${document.body.dataset.node} ${since}: what stands here may be out of date. This page keeps trying.`);
  };

  // Browsers allow six connections to a host: pages that nobody sees give theirs back.
  const seen = () => {
    clearTimeout(hiding);
    if (document.hidden) { hiding = setTimeout(() => stream?.close(), HIDDEN_FOR); return; }
    if (stream.readyState === EventSource.CLOSED) { began = performance.now(); open(); }
  };

  let began = 0;
  document.addEventListener("DOMContentLoaded", () => {
    if (!document.body.dataset.stream) return;
    version = document.body.dataset.news;
    parts().forEach((part) => shown.set(part.id, part.outerHTML));
    began = performance.now();
    open();
    setInterval(look, 1000);
    document.addEventListener("visibilitychange", seen);
    window.addEventListener("pagehide", () => stream?.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  });
})();
