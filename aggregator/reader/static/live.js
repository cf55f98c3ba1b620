// Brings newer items into the page as they come, and takes out what is gone. The page is whole without it.
"use strict";

(() => {
  const stream = document.querySelector("[data-live]");
  const arrivals = () => stream.querySelector(".arrivals");
  const quiet = "quiet" in stream.dataset; // nothing moves by itself: what is new is told of, in a place kept for it
  const atTop = 80; // pixels: further down nothing may move under a reader's eyes
  const shortest = 1000; // milliseconds before a lost connection is opened again; each further try waits twice as long
  const longest = 60_000;
  const waiting = new Map(); // id -> parsed section, newest last
  const newest = new Map(); // id -> the event about it that is being handled
  const title = document.title;
  let source = null;
  let reopening = 0;
  let reloading = 0;
  let wait = shortest;
  let last = null; // the newest revision that arrived

  const shown = (id) => stream.querySelector(`[data-id="${CSS.escape(id)}"]`);

  async function parsed(address) {
    const answer = await fetch(address, { cache: "no-cache" });
    if (answer.status === 404 || answer.status === 410) return null; // gone again
    if (!answer.ok) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  async function fetched(id) {
    const page = await parsed(`${stream.dataset.cards}/${encodeURIComponent(id)}/card`);
    return page && page.querySelector("section");
  }

  // The order of the stream: by moment, then by id.
  const isOlder = (one, other) =>
    one.dataset.at === other.dataset.at
      ? Number(one.dataset.id) < Number(other.dataset.id)
      : one.dataset.at < other.dataset.at;

  function place(section) {
    const card = section.querySelector("[data-id]");
    const before = Array.from(stream.querySelectorAll(".day [data-id]")).find((one) => isOlder(one, card));
    if (!before && stream.querySelector(".day [data-id]")) return; // older than all of this page
    const own = document.getElementById(section.getAttribute("aria-labelledby"))?.closest("section");
    card.classList.add("arrived");
    if (own) {
      const next = before && own.contains(before) ? before : null;
      own.insertBefore(card, next);
    } else {
      stream.insertBefore(section, before ? before.closest("section") : stream.querySelector(".empty, .turn"));
      stream.querySelector(".empty")?.remove();
    }
  }

  // The page keeps as many as it had, so that a day of arrivals does not make it endless.
  function trim() {
    if (stream.dataset.grown) return;
    const cards = Array.from(stream.querySelectorAll(".day [data-id]"));
    for (const card of cards.slice(Math.max(Number(stream.dataset.shown), 1))) {
      const day = card.closest(".day");
      card.remove();
      if (!day.querySelector("[data-id]")) day.remove();
    }
  }

  function tell() {
    const count = waiting.size;
    (quiet ? arrivals().firstElementChild : arrivals()).hidden = count === 0;
    document.title = count ? `(${count}) ${title}` : title;
    if (!count) return;
    const latest = quiet ? Array.from(waiting.values()).at(-1).querySelector(".eyebrow > span, .title") : null;
    const said = latest ? ` (${latest.textContent.trim().replace(/\s+/g, " ")})` : "";
    arrivals().firstElementChild.textContent = `${count} new ${count === 1 ? "item" : "items"}${said}: show`;
  }

  function showAll() {
    waiting.forEach(place);
    waiting.clear();
    tell();
  }

  async function came(event) {
    last = event.lastEventId;
    const { id } = JSON.parse(event.data);
    newest.set(id, event);
    const section = await fetched(id);
    if (newest.get(id) !== event) return; // something happened to it since
    newest.delete(id);
    const old = shown(id);
    if (!section) {
      remove(id);
    } else if (old) {
      old.replaceWith(section.querySelector("[data-id]"));
    } else {
      waiting.set(id, section);
      if (!quiet && scrollY < atTop && !document.hidden) showAll();
      else tell();
    }
  }

  function went(event) {
    last = event.lastEventId;
    remove(JSON.parse(event.data).id);
  }

  function remove(id) {
    newest.delete(id);
    const card = shown(id);
    const section = card?.closest(".day, .pinned");
    card?.remove();
    if (section && !section.querySelector("[data-id]")) section.remove();
    if (waiting.delete(id)) tell();
    for (const other of document.querySelectorAll(`[data-id="${CSS.escape(id)}"], [data-others~="${CSS.escape(id)}"]`)) {
      check(other).catch(() => reload());
    }
  }

  // What stands elsewhere goes only where it is gone altogether; a card that names it among others is made anew.
  async function check(card) {
    const section = await fetched(card.dataset.id);
    if (!section) card.remove();
    else if (card.dataset.others) card.replaceWith(section.querySelector("[data-id]"));
  }

  // Loads the whole list again where changes were missed, so that nothing hidden stays; until that succeeds.
  async function reload(delay = shortest) {
    clearTimeout(reloading);
    try {
      const page = await parsed(location.href);
      const fresh = page?.querySelector("[data-live]");
      if (!fresh) return;
      for (const card of document.querySelectorAll("[data-id]")) {
        if (!stream.contains(card) && !page.querySelector(`[data-id="${CSS.escape(card.dataset.id)}"]`)) card.remove();
      }
      waiting.clear();
      newest.clear();
      delete stream.dataset.grown;
      stream.replaceChildren(...fresh.childNodes);
      tell();
    } catch {
      reloading = setTimeout(() => reload(Math.min(2 * delay, longest)), delay * (0.5 + Math.random()));
    }
  }

  function listen() {
    clearTimeout(reopening);
    if (source || document.hidden) return;
    const address = new URL(stream.dataset.live, location.href);
    if (last) address.searchParams.set("after", last);
    const connection = new EventSource(address);
    source = connection;
    connection.onopen = () => {
      wait = shortest;
    };
    connection.onerror = () => {
      // After an answer such as a proxy's 502 the browser gives up for good; after a lost connection it comes back.
      if (connection.readyState !== EventSource.CLOSED) return;
      source = null;
      reopening = setTimeout(listen, wait * (0.5 + Math.random()));
      wait = Math.min(2 * wait, longest);
    };
    connection.addEventListener("activity", (event) => came(event).catch(() => reload()));
    connection.addEventListener("gone", went);
    connection.addEventListener("reset", (event) => {
      last = event.lastEventId;
      reload();
    });
  }

  // A browser opens few connections to one host: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(reopening);
      source?.close();
      source = null;
    } else {
      listen();
    }
  });
  stream.addEventListener("click", (event) => {
    if (waiting.size === 0 || !event.target.closest(".arrivals")) return; // the link loads the page
    event.preventDefault();
    if (quiet) stream.querySelector(".nothing")?.remove();
    else scrollTo({ top: 0 });
    showAll();
    if (quiet) trim();
  });
  listen();
})();
