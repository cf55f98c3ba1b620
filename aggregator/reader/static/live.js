// Adds new items to the page and removes deleted ones. The page also works without this script.
"use strict";

(() => {
  const stream = document.querySelector("[data-live]");
  const arrivals = () => stream.querySelector(".arrivals");
  const quiet = "quiet" in stream.dataset; // announce new items in a reserved place instead of inserting them
  const merged = "merged" in stream.dataset; // a story has one card
  const atTop = 80; // pixels: further down nothing may move while reading
  const shortest = 1000; // milliseconds before reconnecting; doubles with each attempt
  const longest = 60_000;
  const waiting = new Map(); // id -> parsed section, newest last
  const newest = new Map(); // id -> the latest event for it
  const title = document.title;
  let source = null;
  let reopening = 0;
  let reloading = 0;
  let wait = shortest;
  let last = null; // the newest revision that arrived

  const shown = (id) => stream.querySelector(`[data-id="${CSS.escape(id)}"]`);

  async function parsed(address) {
    const answer = await fetch(address, { cache: "no-cache" });
    if (answer.status === 404 || answer.status === 410) return null; // removed meanwhile
    if (!answer.ok) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  async function fetched(id) {
    const page = await parsed(`${stream.dataset.cards}/${encodeURIComponent(id)}/card`);
    return page && page.querySelector("section");
  }

  function drop(card) {
    const section = card?.closest(".day, .pinned");
    card?.remove();
    if (section && !section.querySelector("[data-id]")) section.remove();
  }

  // The other card that shows this item, as one of its story: that of the lead, or one that names the item.
  function keeper(id, section) {
    if (!merged) return null;
    const { lead } = section.dataset;
    const card = (lead && shown(lead)) || stream.querySelector(`[data-others~="${CSS.escape(id)}"]`);
    return card?.dataset.id === id ? null : card;
  }

  // Remove the cards of items that this card shows.
  function merge(card) {
    if (!merged || !card.dataset.others) return;
    for (const id of card.dataset.others.split(" ")) {
      drop(shown(id));
      waiting.delete(id);
    }
  }

  // The order of the stream: by time, then by id.
  const isOlder = (item, other) =>
    item.dataset.at === other.dataset.at
      ? Number(item.dataset.id) < Number(other.dataset.id)
      : item.dataset.at < other.dataset.at;

  function place(section) {
    const card = section.querySelector("[data-id]");
    const before = Array.from(stream.querySelectorAll(".day [data-id]")).find((item) => isOlder(item, card));
    if (!before && stream.querySelector(".day [data-id]")) return; // older than this page
    const own = document.getElementById(section.getAttribute("aria-labelledby"))?.closest("section");
    card.classList.add("arrived");
    if (own) {
      const next = before && own.contains(before) ? before : null;
      own.insertBefore(card, next);
    } else {
      stream.insertBefore(section, before ? before.closest("section") : stream.querySelector(".empty, .turn"));
      stream.querySelector(".empty")?.remove();
    }
    merge(card);
  }

  // Keep the number of items constant, so that the page does not grow.
  function trim() {
    if (stream.dataset.grown) return;
    const cards = Array.from(stream.querySelectorAll(".day [data-id]"));
    for (const card of cards.slice(Math.max(Number(stream.dataset.shown), 1))) {
      const day = card.closest(".day");
      card.remove();
      if (!day.querySelector("[data-id]")) day.remove();
    }
  }

  // The text for a number, in the language of the page.
  function form(count) {
    const forms = JSON.parse(arrivals().dataset.forms);
    return forms[new Intl.PluralRules(document.documentElement.lang).select(count)] ?? forms.other;
  }

  function announce() {
    const count = waiting.size;
    (quiet ? arrivals().firstElementChild : arrivals()).hidden = count === 0;
    document.title = count ? `(${count}) ${title}` : title;
    if (!count) return;
    const latest = quiet ? Array.from(waiting.values()).at(-1).querySelector(".title, .name") : null;
    const headline = latest ? ` (${latest.textContent.trim().replace(/\s+/g, " ")})` : "";
    arrivals().firstElementChild.textContent = form(count).replace("%(num)s", count) + headline;
  }

  function showAll() {
    waiting.forEach(place);
    waiting.clear();
    announce();
  }

  async function came(event) {
    last = event.lastEventId;
    const { id } = JSON.parse(event.data);
    newest.set(id, event);
    const section = await fetched(id);
    if (newest.get(id) !== event) return; // a newer event replaced it
    newest.delete(id);
    const old = shown(id);
    const other = section && keeper(id, section);
    if (!section) {
      remove(id);
    } else if (other) {
      drop(old);
      if (waiting.delete(id)) announce();
      await refresh(other);
    } else if (old) {
      const card = section.querySelector("[data-id]");
      old.replaceWith(card);
      merge(card);
    } else {
      waiting.set(id, section);
      if (!quiet && scrollY < atTop && !document.hidden) showAll();
      else announce();
    }
  }

  function went(event) {
    last = event.lastEventId;
    remove(JSON.parse(event.data).id);
  }

  function remove(id) {
    newest.delete(id);
    drop(shown(id));
    if (waiting.delete(id)) announce();
    for (const other of document.querySelectorAll(`[data-id="${CSS.escape(id)}"], [data-others~="${CSS.escape(id)}"]`)) {
      check(other).catch(() => reload());
    }
  }

  async function refresh(card) {
    const section = await fetched(card.dataset.id);
    if (section) card.replaceWith(section.querySelector("[data-id]"));
    else drop(card);
  }

  // Remove an item elsewhere on the page only if it was deleted; reload a card that names it among others.
  async function check(card) {
    const section = await fetched(card.dataset.id);
    if (!section) card.remove();
    else if (card.dataset.others) card.replaceWith(section.querySelector("[data-id]"));
  }

  // Reload the list after missed changes, so that no hidden item stays; retry until it succeeds.
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
      announce();
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
      // Browsers reconnect after a lost connection, but not after an error status such as a proxy's 502.
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

  // Browsers limit connections per host: hidden pages close theirs.
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
