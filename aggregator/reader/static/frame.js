// Loads the list of a frame again every five minutes. What is shown stays where that fails: a frame that reloads itself
// would show a proxy's error page for good. Without script, the page reloads itself.
"use strict";

(() => {
  const every = 300_000; // milliseconds

  async function load() {
    if (document.hidden) return;
    const answer = await fetch(location.href, { cache: "no-cache" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const items = page.querySelector(".items");
    if (items) document.querySelector(".items").replaceWith(items);
  }

  const retried = () => load().catch(() => undefined); // the next try comes
  setInterval(retried, every);
  document.addEventListener("visibilitychange", retried);
})();
