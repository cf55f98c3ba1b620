// Brings newer items into the page as they come, and takes out what is gone. The page is whole without it.
"use strict";

(() => {
  const stream = document.querySelector("[data-live]");
  const arrivals = document.querySelector(".arrivals");
  const quiet = "quiet" in stream.dataset; // nothing moves by itself: what is new is told of, in a place kept for it
  const atTop = 80; // pixels: further down nothing may move under a reader's eyes
  const waiting = new Map(); // id -> parsed section, newest last
  const title = document.title;
  let source = null;
  let last = null; // the newest revision that arrived

  const shown = (id) => stream.querySelector(`[data-id="${CSS.escape(id)}"]`);

  async function fetched(id) {
    const answer = await fetch(`${stream.dataset.cards}/${encodeURIComponent(id)}/card`, { cache: "no-cache" });
    if (!answer.ok) return null; // gone again
    return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("section");
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
    (quiet ? arrivals.firstElementChild : arrivals).hidden = count === 0;
    document.title = count ? `(${count}) ${title}` : title;
    if (!count) return;
    const newest = quiet ? Array.from(waiting.values()).at(-1).querySelector(".eyebrow > span, .title") : null;
    const said = newest ? ` (${newest.textContent.trim().replace(/\s+/g, " ")})` : "";
    arrivals.firstElementChild.textContent = `${count} new ${count === 1 ? "item" : "items"}${said}: show`;
  }

  function showAll() {
    waiting.forEach(place);
    waiting.clear();
    tell();
  }

  async function came(event) {
    last = event.lastEventId;
    const { id } = JSON.parse(event.data);
    const section = await fetched(id);
    if (!section) return;
    const old = shown(id);
    if (old) {
      old.replaceWith(section.querySelector("[data-id]"));
      return;
    }
    waiting.set(id, section);
    if (!quiet && scrollY < atTop && !document.hidden) showAll();
    else tell();
  }

  function went(event) {
    last = event.lastEventId;
    const { id } = JSON.parse(event.data);
    const card = shown(id);
    const section = card?.closest(".day, .pinned");
    card?.remove();
    if (section && !section.querySelector("[data-id]")) section.remove();
    if (waiting.delete(id)) tell();
  }

  function listen() {
    if (source || document.hidden) return;
    const address = new URL(stream.dataset.live, location.href);
    if (last) address.searchParams.set("after", last);
    source = new EventSource(address);
    source.addEventListener("activity", (event) => came(event).catch(() => undefined));
    source.addEventListener("gone", went);
    source.addEventListener("reset", () => {
      (quiet ? arrivals.firstElementChild : arrivals).hidden = false; // too much was missed: the link loads the page again
    });
  }

  // A browser opens few connections to one host: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      listen();
    }
  });
  arrivals.addEventListener("click", (event) => {
    if (waiting.size === 0) return; // the link loads the page
    event.preventDefault();
    if (quiet) stream.querySelector(".nothing")?.remove();
    else scrollTo({ top: 0 });
    showAll();
    if (quiet) trim();
  });
  listen();
})();
