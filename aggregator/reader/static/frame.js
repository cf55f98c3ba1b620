// Replaces the list of an embedded frame when the stream changes, unless it is in use. The page is never reloaded.
"use strict";

(() => {
  const main = document.querySelector("main[data-items]");
  const soon = 500; // milliseconds in which changes are combined
  const shortest = 1000; // milliseconds before reconnecting; doubles with each attempt
  const longest = 60_000;
  let wait = shortest;
  let source = null;
  let timer = 0;
  let isOutdated = false;

  const isInUse = () => main.contains(document.activeElement) || main.querySelector("details[open]") !== null;

  async function update() {
    if (document.hidden || isInUse()) return; // `isOutdated` stays: the next event or focus change tries again
    isOutdated = false;
    try {
      const answer = await fetch(main.dataset.items, { cache: "no-cache" });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".items");
      if (fresh) main.querySelector(".items").replaceWith(fresh);
    } catch {
      isOutdated = true;
    }
  }

  function later() {
    isOutdated = true;
    clearTimeout(timer);
    timer = setTimeout(update, soon);
  }

  function listen() {
    if (source || document.hidden) return;
    const connection = new EventSource(main.dataset.live);
    source = connection;
    connection.onopen = () => {
      wait = shortest;
      if (isOutdated) later();
    };
    connection.onerror = () => {
      isOutdated = true;
      if (connection.readyState !== EventSource.CLOSED) return;
      source = null;
      setTimeout(listen, wait * (0.5 + Math.random()));
      wait = Math.min(2 * wait, longest);
    };
    for (const type of ["activity", "gone", "reset"]) connection.addEventListener(type, later);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
      isOutdated = true;
    } else {
      listen();
    }
  });
  main.addEventListener("focusout", () => isOutdated && later());
  main.addEventListener("toggle", () => isOutdated && later(), true);
  listen();
})();
