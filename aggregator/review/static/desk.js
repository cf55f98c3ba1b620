// Keyboard shortcuts, decisions without reload, and updates by other users. The queue also works without this script.
"use strict";

(() => {
  const queue = document.getElementById("queue");
  if (!queue) return;
  const message = document.getElementById("message");
  const latest = document.getElementById("latest");
  const arrivals = document.querySelector(".arrivals");
  const ticked = document.getElementById("ticked");
  const decides = queue.getAttribute("action"); // the property is shadowed by the buttons of that name
  const everyMs = 3000; // polling interval for changes by other users
  const passing = ["waiting", "mine"]; // tabs that decided items leave
  const layout = queue.dataset.layout;
  const keys = document.getElementById("keys");
  const pane = document.getElementById("pane"); // of the list: shows the selected item as a card
  const toastMs = 10000; // how long a message covers the page
  let revision = queue.dataset.revision;
  let waiting = Number(queue.dataset.waiting);
  let sending = Promise.resolve(); // requests run one after the other, in the order of the keys
  let open = 0; // running requests
  let undoing = null; // keys wait for a running undo: they are meant for the restored items

  const cards = () => Array.from(queue.querySelectorAll("[data-item]"));
  const isDecided = (card) => card.classList.contains("decided");
  const here = () => document.activeElement?.closest?.("[data-item]");
  const boxOf = (card) => card.querySelector(".tick input");

  // Show a message above the page for some seconds; an error stays until the next message.
  let fading = 0;
  function say(text, { stays = false } = {}) {
    clearTimeout(fading);
    message.textContent = text;
    message.classList.remove("faded");
    if (text && !stays) fading = setTimeout(() => message.classList.add("faded"), toastMs);
  }

  function stand(card) {
    card?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "nearest" });
  }

  function step(from, by) {
    const all = cards();
    const start = from ? all.indexOf(from) : by > 0 ? -1 : all.length;
    for (let place = start + by; place >= 0 && place < all.length; place += by) {
      if (!isDecided(all[place])) return all[place];
    }
    return null;
  }

  async function ask(address, fields) {
    const answer = await fetch(address, {
      method: fields ? "POST" : "GET",
      headers: { "X-Desk": "part", Accept: "text/html" },
      body: fields ? new URLSearchParams(fields) : undefined,
      redirect: "manual",
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(page.querySelector(".lead")?.textContent || "The review desk is not responding. Reload the page.");
    return page.getElementById("answer");
  }

  // Replaces the shown cards by their current state; returns the waiting ones.
  function show(part, { announce = true, add = false } = {}) {
    const waits = [];
    revision = part.dataset.revision;
    waiting = Number(part.dataset.waiting);
    if (announce) say(part.querySelector(".message").textContent);
    const now = part.querySelector(".latest-now");
    if (latest && now) latest.replaceChildren(...now.childNodes);
    part.dataset.gone.split(" ").filter(Boolean).forEach((id) => document.getElementById(`seen-${id}`)?.remove());
    part.querySelectorAll("[data-item]").forEach((card) => {
      const old = document.getElementById(card.id);
      if (!old && !add) return;
      const hadFocus = old && old === here();
      if (passing.includes(queue.dataset.pile) && !["waiting", "edit"].includes(card.dataset.state)) card.classList.add("decided");
      if (old) old.replaceWith(card);
      else (cards()[0] || queue.querySelector(".empty, .bulk"))?.before(card);
      if (!old) queue.querySelector(".empty")?.remove();
      if (!isDecided(card)) waits.push(card);
      if (hadFocus && !isDecided(card)) stand(card);
    });
    count();
    return waits;
  }

  function count() {
    const marked = queue.querySelectorAll(".tick input:checked").length;
    cards().forEach((card) => card.classList.toggle("ticked", Boolean(boxOf(card)?.checked)));
    if (ticked) ticked.textContent = marked ? `${marked} selected:` : "Selected items:";
    queue.classList.toggle("has-ticked", marked > 0);
  }

  // Focus the restored item, so that the next key applies to it.
  function undo(address, fields) {
    const answered = send(address, fields, (part) => stand(show(part, { add: true })[0])).finally(() => {
      if (undoing === answered) undoing = null;
    });
    undoing = answered;
  }

  function send(address, fields, shown = show) {
    open += 1;
    sending = sending
      .then(() => ask(address, typeof fields === "function" ? fields() : fields))
      .then((part) => shown(part))
      .catch((problem) => {
        say(problem.message, { stays: true });
        queue.querySelectorAll(".decided.pending").forEach((card) => card.classList.remove("decided", "pending"));
      })
      .finally(() => {
        open -= 1;
        if (open === 0) further();
      });
    return sending;
  }

  // Load the next items when all on this page are decided.
  function further() {
    if (!passing.includes(queue.dataset.pile) || cards().length === 0 || cards().some((card) => !isDecided(card))) return;
    if (queue.dataset.pile === "mine") document.querySelector('[data-key="g"]').click();
    else {
      sessionStorage.setItem("desk-message", message.textContent); // the next page shows it again
      location.reload();
    }
  }

  const fieldsOf = (more) => [["csrf", queue.elements.namedItem("csrf").value], ["layout", layout], ...more];

  // Select the items between two, such as by a click with Shift.
  let origin = null; // where a selection of several began
  function selectTo(card, checked) {
    const all = cards();
    const places = [all.indexOf(origin?.isConnected ? origin : card), all.indexOf(card)].sort((a, b) => a - b);
    all.slice(places[0], places[1] + 1).filter((item) => !isDecided(item) && boxOf(item)).forEach((item) => { boxOf(item).checked = checked; });
    count();
  }

  function extend(by) {
    const card = here() || step(null, 1);
    if (!card) return;
    if (!boxOf(card)?.checked) origin = card;
    const next = step(card, by) || card;
    selectTo(next, true);
    stand(next);
  }

  function decide(targets, verb, reason) {
    if (targets.length === 0) return;
    const next = step(targets[targets.length - 1], 1) || step(targets[0], -1);
    const marks = targets.map((card) => ["item", card.dataset.mark]);
    targets.forEach((card) => {
      if (passing.includes(queue.dataset.pile)) card.classList.add("decided", "pending");
      const box = boxOf(card);
      if (box) box.checked = false;
    });
    count();
    stand(next && !targets.includes(next) ? next : targets[0]);
    send(decides, fieldsOf([...marks, ["action", verb], ["reason", reason || ""]]));
  }

  function chosen() {
    const marked = cards().filter((card) => boxOf(card)?.checked && !isDecided(card));
    if (marked.length) return marked;
    const card = here() || step(null, 1);
    return card && !isDecided(card) ? [card] : [];
  }

  const verbs = { a: "approve", h: "hide", b: "return", p: "pin", u: "unpin", w: "keep" };

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    if (keys?.open) return;
    if (undoing && event.key.length === 1) {
      event.preventDefault();
      undoing.then(() => act(event));
    } else act(event);
  }

  function act(event) {
    const key = event.key.toLowerCase();
    const card = here();
    if (event.shiftKey && ["j", "arrowdown"].includes(key)) extend(1);
    else if (event.shiftKey && ["k", "arrowup"].includes(key)) extend(-1);
    else if (key === "j" || (event.key === "ArrowDown" && card)) stand(step(card, 1));
    else if (key === "k" || (event.key === "ArrowUp" && card)) stand(step(card, -1));
    else if (key === "x" && event.shiftKey) {
      const boxes = cards().filter((item) => !isDecided(item)).map(boxOf).filter(Boolean);
      const all = boxes.every((box) => box.checked);
      boxes.forEach((box) => { box.checked = !all; });
      count();
    } else if (key === "x" && card && boxOf(card)) {
      boxOf(card).checked = !boxOf(card).checked;
      origin = card;
      count();
    } else if (key in verbs && !event.repeat) decide(chosen(), verbs[key]);
    else if (/^[1-6]$/.test(key) && !event.repeat) decide(chosen(), "hide", key);
    else if (key === "q" && !event.repeat && card) {
      const shown = cards().map((item) => ["shown", item.dataset.item]);
      send(`${queue.dataset.items}${card.dataset.item}/author`, fieldsOf(shown));
    } else if (key === "z" && !event.repeat) undo(queue.dataset.undo, fieldsOf([]));
    else if (key === "g") document.querySelector('[data-key="g"]')?.click();
    else if (key === "n" && card) location.assign(queue.dataset.items + card.dataset.item);
    else if (key === "o" && card) (card.querySelector("a.out") || pane?.querySelector("a.out"))?.click();
    else if (key === "?") keys?.showModal();
    else if (key === "/") document.querySelector(".sieve input[type=search]")?.focus();
    else return;
    event.preventDefault();
  }

  // A card's button does the same as its key.
  queue.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button) return;
    const card = button.closest("[data-item]");
    event.preventDefault();
    if (card) {
      const done = button.dataset.do;
      if (done === "undo") undo(queue.dataset.undo, fieldsOf([["undo_item", card.dataset.item]]));
      else if (/^[1-6]$/.test(done)) decide([card], "hide", done);
      else decide([card], done);
    } else {
      const marked = cards().filter((item) => boxOf(item)?.checked && !isDecided(item));
      if (marked.length) decide(marked, button.value, queue.elements.namedItem("reason").value);
      else say("No items selected.");
    }
  });
  latest?.addEventListener("submit", (event) => {
    event.preventDefault();
    // Running requests replace this form, so read the batch to undo after them.
    undo(event.target.getAttribute("action"), () => Array.from(new FormData(latest.querySelector("form") || event.target)));
  });
  queue.addEventListener("click", (event) => {
    const box = event.target.closest(".tick input");
    if (!box) return;
    const card = box.closest("[data-item]");
    if (event.shiftKey && origin) selectTo(card, box.checked);
    else origin = card;
  });
  queue.addEventListener("change", count);
  document.addEventListener("keydown", pressed);

  // Poll for changes by other users and for new items.
  async function look() {
    if (document.hidden || open > 0) return;
    const ids = cards().map((card) => ["item", card.dataset.item]);
    const answer = await fetch(`${queue.dataset.changes}?${new URLSearchParams([["after", revision], ...ids])}`);
    if (!answer.ok || open > 0) return;
    const changes = await answer.json();
    if (changes.touched.length) {
      const part = await ask(`${queue.dataset.cards}?${new URLSearchParams([["layout", layout], ...changes.touched.map((id) => ["item", id])])}`);
      if (open === 0) show(part, { announce: false });
    }
    revision = changes.revision;
    const more = changes.waiting - waiting;
    if (queue.dataset.pile === "waiting" && more > 0) {
      arrivals.hidden = false;
      arrivals.firstElementChild.textContent = `Show ${more} new ${more === 1 ? "item" : "items"}`;
      if (cards().length === 0) location.reload();
    }
  }
  // Beside the list, show the card of the selected item with its buttons.
  let shownMark = "";
  let opening = 0;
  async function preview(card) {
    if (!pane || shownMark === card.dataset.mark + card.dataset.state) return;
    shownMark = card.dataset.mark + card.dataset.state;
    const part = await ask(`${queue.dataset.cards}?${new URLSearchParams([["pane", "1"], ["item", card.dataset.item]])}`);
    if (here() !== card && !pane.contains(document.activeElement)) return;
    pane.dataset.of = card.id;
    pane.replaceChildren(...part.querySelectorAll("[data-item]"));
    pane.hidden = false;
  }
  if (pane && matchMedia("(min-width: 64rem)").matches) {
    queue.addEventListener("focusin", () => {
      clearTimeout(opening);
      const card = here();
      if (card) opening = setTimeout(() => preview(card).catch(() => undefined), 120);
    });
    pane.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      const card = document.getElementById(pane.dataset.of);
      if (!button || !card) return;
      event.preventDefault();
      if (/^[1-6]$/.test(button.dataset.do)) decide([card], "hide", button.dataset.do);
      else decide([card], button.dataset.do);
    });
  }

  const showKeys = document.getElementById("show-keys");
  if (showKeys) {
    showKeys.hidden = false;
    showKeys.addEventListener("click", () => keys.showModal());
  }
  message.classList.add("toast");
  setInterval(() => look().catch(() => undefined), everyMs);
  count();
  say(message.textContent || sessionStorage.getItem("desk-message") || "");
  sessionStorage.removeItem("desk-message");
  if (document.activeElement === document.body && matchMedia("(pointer: fine)").matches) stand(step(null, 1));
})();
