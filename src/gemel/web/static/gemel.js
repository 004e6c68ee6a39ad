// What pages do by themselves. Everything works without it but dragging, random passwords and hiding what does not apply.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const csrf = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");

  // Lists: selection, order ----------------------------------------------------------------------------------------

  const selection = () => {
    const some = document.querySelector('#list input[name="id"]:checked') !== null;
    all("[data-needs-selection]").forEach((button) => { button.disabled = !some; });
  };

  const move = async (table, row, position, focus) => {
    const body = new URLSearchParams({ do: `move:${row.dataset.id}`, position });
    const answer = await fetch(table.dataset.order, { method: "POST", body, headers: csrf() });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.getElementById("main");
    if (!main) { location.reload(); return; }
    document.getElementById("main").replaceWith(main);
    htmx.process(main);
    ready();
    if (focus) document.querySelector(`[data-id="${CSS.escape(row.dataset.id)}"] [data-grip]`)?.focus();
  };

  // Where an arrow key takes a row: past its neighbour; at the edge of a page past the one on the next page.
  const placeFor = (row, key) => {
    if (key === "Home") return "top";
    if (key === "End") return "bottom";
    const other = key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
    if (other) return `${key === "ArrowUp" ? "before" : "after"}:${other.dataset.id}`;
    const place = Number(row.dataset.place || 0);
    if (!place) return key === "ArrowUp" ? "top" : "bottom";
    return `at:${Math.max(1, place + (key === "ArrowUp" ? -1 : 1))}`;
  };

  const orderable = (table) => {
    const rows = table.tBodies[0];
    new Sortable(rows, {
      handle: "[data-grip]", animation: 120, draggable: "tr[data-id]",
      onEnd: ({ item, oldIndex, newIndex }) => {
        if (oldIndex === newIndex) return;
        const above = item.previousElementSibling, below = item.nextElementSibling;
        move(table, item, below ? `before:${below.dataset.id}` : `after:${above.dataset.id}`, false);
      },
    });
    rows.addEventListener("keydown", (event) => {
      if (!event.target.matches("[data-grip]") || !["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
      event.preventDefault();
      const row = event.target.closest("tr");
      move(table, row, placeFor(row, event.key), true);
    });
  };

  // Forms: what belongs together -----------------------------------------------------------------------------------

  const TEXT = ["address", "network"];

  const endpoint = (row) => {
    const choice = row.querySelector("select"), text = row.querySelector('input[type="text"]');
    const show = () => { text.parentElement.hidden = !TEXT.includes(choice.value); };
    choice.addEventListener("change", () => { show(); if (TEXT.includes(choice.value)) text.focus(); });
    show();
  };

  const port = (row) => {
    const choice = row.querySelector("select"), text = row.querySelector('input[type="text"]');
    choice.addEventListener("change", () => { if (choice.value !== "other") text.value = ""; else text.focus(); });
    text.addEventListener("input", () => { if (text.value) choice.value = "other"; });
  };

  // Names from the server as one types: a list of all would be too long to send with each form.
  const completing = (text) => {
    const list = text.list;
    let timer = 0, asked = "";
    text.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const typed = text.value.trim();
        if (!typed || typed === asked) return;
        asked = typed;
        const answer = await fetch(text.dataset.complete + encodeURIComponent(typed)).catch(() => null);
        if (!answer?.ok || typed !== text.value.trim()) return;
        list.replaceChildren(...(await answer.json()).map((name) => Object.assign(document.createElement("option"), { value: name })));
      }, 150);
    });
  };

  // How often the rules on this page have matched; after the page, as the kernel takes its time over 10,000.
  const hits = async (table) => {
    const rows = all("tr[data-place]", table);
    if (!rows.length) return;
    const answer = await fetch(`${table.dataset.hits}?${rows.map((row) => `id=${encodeURIComponent(row.dataset.id)}`).join("&")}`).catch(() => null);
    if (!answer?.ok) return;
    const counted = await answer.json();
    const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
    rows.forEach((row) => {
      const cell = row.querySelector("[data-hit]"), found = counted[row.dataset.id];
      if (!cell || !found) return;
      cell.textContent = short.format(found[0]);
      cell.title = `${found[0]} new connections, ${found[1]} bytes since the rule was loaded`;
    });
  };

  // data-when="protocol=tcp udp": shown only while the field has one of these values.
  const conditional = (part) => {
    const [name, values] = part.dataset.when.split("=");
    const field = part.closest("form").elements[name];
    const show = () => { part.hidden = !values.split(" ").includes(field.type === "checkbox" ? String(field.checked) : field.value); };
    field.addEventListener("change", show);
    show();
  };

  // What base and skew amount to: reference carp-and-state-sync §1.
  const advert = (part) => {
    const base = document.getElementById("base"), skew = document.getElementById("skew");
    const words = part.querySelector("[data-advert-words]");
    const show = () => {
      const b = Number(base.value), s = Number(skew.value);
      const theirs = Math.min(s + Number(part.dataset.peerSkew), Number(part.dataset.highestSkew));
      const seconds = (n) => `${n.toFixed(2)} s`;
      words.textContent = `Adverts every ${seconds(b + s / 256)}. The secondary gets skew ${theirs}: it is master only ` +
        `when nothing better was heard for ${seconds(3 * b + theirs / 256)}` + (s > 1 ? ". The primary should have 0 or 1." : ".");
    };
    base.addEventListener("change", show);
    skew.addEventListener("change", show);
    show();
  };

  const random = () => {
    const letters = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    return Array.from(crypto.getRandomValues(new Uint32Array(16)), (n) => letters[n % letters.length]).join("");
  };

  document.addEventListener("click", (event) => {
    const made = event.target.closest("[data-random]");
    const shown = event.target.closest("[data-reveal]");
    const tick = event.target.closest("[data-tick]");
    if (tick) {
      const boxes = all(`input[type="checkbox"][name="${tick.dataset.tick}"]`);
      const on = boxes.some((box) => !box.checked);
      boxes.forEach((box) => { box.checked = on; });
    }
    if (made) {
      const password = random();
      for (const id of [made.dataset.random, `${made.dataset.random}-again`]) document.getElementById(id).value = password;
    }
    if (shown) {
      const now = shown.getAttribute("aria-pressed") !== "true";
      shown.setAttribute("aria-pressed", String(now));
      for (const id of [shown.dataset.reveal, `${shown.dataset.reveal}-again`]) {
        document.getElementById(id)?.setAttribute("type", now ? "text" : "password");
      }
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      all('#list input[name="id"]').forEach((box) => { box.checked = event.target.checked; });
    }
    selection();
  });

  const ready = () => {
    all("table[data-order]").forEach(orderable);
    all("[data-endpoint]").forEach(endpoint);
    all("[data-port]").forEach(port);
    all("[data-when]").forEach(conditional);
    all("[data-advert]").forEach(advert);
    all("[data-complete]").forEach(completing);
    all("[data-hits]").forEach(hits);
    (document.querySelector('main [aria-invalid="true"]') || document.querySelector("[data-focus]"))?.focus();
    selection();
  };
  document.addEventListener("DOMContentLoaded", ready);
})();
