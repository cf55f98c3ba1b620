// Loads older items in place, shows relative times, and opens video players on a click.
"use strict";

(() => {
  // Load older items into the page; without this script the link opens them.
  document.addEventListener("click", async (event) => {
    const more = event.target.closest?.("[data-more]");
    if (!more || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (more.getAttribute("aria-busy") === "true") return;
    more.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(more.href);
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const stream = more.closest(".stream");
      const turn = more.closest(".turn");
      let first = null;
      for (const section of page.querySelectorAll(".stream .day")) {
        const cards = Array.from(section.querySelectorAll("[data-id]")).filter(
          (card) => !stream.querySelector(`[data-id="${CSS.escape(card.dataset.id)}"]`),
        );
        if (cards.length === 0) continue;
        const name = section.getAttribute("aria-labelledby");
        const own = document.getElementById(name)?.closest(".day");
        if (own) own.append(...cards);
        else turn.before(section);
        first ??= cards[0];
      }
      stream.dataset.grown = "yes";
      const next = page.querySelector('.stream .turn a[rel="next"]');
      if (next) more.href = next.href;
      else turn.remove();
      relative();
      const heading = first?.querySelector("a");
      heading?.focus({ preventScroll: true });
    } catch {
      location.href = more.href;
    } finally {
      more.removeAttribute("aria-busy");
    }
  });

  // Relative times such as "3 hours ago"; the exact time stays in the title.
  const words = new Intl.RelativeTimeFormat(document.documentElement.dataset.locale || "en", { numeric: "auto" });
  const steps = [[60, "second"], [60, "minute"], [24, "hour"], [30, "day"]];
  function ago(moment) {
    let amount = (moment - Date.now()) / 1000;
    if (amount > -45) return null;
    for (const [most, unit] of steps) {
      if (Math.abs(amount) < most) return words.format(Math.round(amount), unit);
      amount /= most;
    }
    return null;
  }
  function relative() {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const text = ago(new Date(time.dateTime));
      if (text && time.textContent !== text) time.textContent = text;
    }
  }
  relative();
  setInterval(relative, 60_000);

  // Load a video player on a click.
  document.addEventListener("click", (event) => {
    const film = event.target.closest?.("[data-player]");
    if (!film || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const isFile = film.dataset.player === "file";
    const player = document.createElement(isFile ? "video" : "iframe");
    player.className = "player";
    player.title = film.getAttribute("aria-label") || "Video";
    if (isFile) {
      player.controls = player.autoplay = true;
      player.src = film.href;
    } else {
      player.allow = "autoplay; encrypted-media; fullscreen; picture-in-picture";
      player.allowFullscreen = true;
      player.referrerPolicy = "strict-origin-when-cross-origin";
      player.src = film.dataset.player;
    }
    film.replaceWith(player);
    player.focus();
  });
})();
