// Tells people that newer items have arrived. The page is whole without it.
"use strict";

(() => {
  const stream = document.querySelector("[data-watch]");
  const arrivals = document.querySelector(".arrivals");
  const shown = new Set(Array.from(stream.querySelectorAll("[data-id]"), (card) => card.dataset.id));
  const pause = 20000; // milliseconds; an unchanged stream costs a 304
  const title = document.title;

  async function look() {
    if (document.hidden) return;
    const answer = await fetch(stream.dataset.watch, { cache: "no-cache" });
    if (!answer.ok) return;
    const { items } = await answer.json();
    const known = items.findIndex((item) => shown.has(item.id));
    const count = known === -1 ? items.length : known;
    if (count === 0) return;
    const more = known === -1 && shown.size > 0 ? "+" : "";
    arrivals.firstElementChild.textContent = `${count}${more} new ${count === 1 ? "item" : "items"}: show`;
    arrivals.hidden = false;
    document.title = `(${count}${more}) ${title}`;
  }

  // A reader that is away for a while is no error of the page: the next round asks again.
  const again = () => look().catch(() => undefined);
  setInterval(again, pause);
  document.addEventListener("visibilitychange", again);
})();
