// Loads older items in place, finds values in long lists, and opens video players on a click.
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
      const heading = first?.querySelector("a");
      heading?.focus({ preventScroll: true });
    } catch {
      location.href = more.href;
    } finally {
      more.removeAttribute("aria-busy");
    }
  });

  // Find a value in a long list: a field above it leaves the values that contain the text.
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  for (const form of document.querySelectorAll("form[data-find]")) {
    const select = form.querySelector("select");
    const options = Array.from(select.options);
    if (options.length <= 8) continue;
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = form.dataset.find;
    field.setAttribute("aria-label", form.dataset.find);
    field.setAttribute("aria-controls", select.id);
    field.addEventListener("input", () => {
      const text = folded(field.value.trim());
      const selected = select.value;
      const fitting = options.filter((option) => folded(option.text).includes(text));
      select.replaceChildren(...fitting);
      const same = fitting.find((option) => option.value === selected && text === "");
      (same ?? fitting[0] ?? options[0]).selected = true;
    });
    select.before(field);
  }

  // Close a menu with Escape, or with a click elsewhere.
  const menus = () => document.querySelectorAll("details.subscribe[open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    }
  });

  // Load a video player on a click.
  document.addEventListener("click", (event) => {
    const film = event.target.closest?.("[data-player]");
    if (!film || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const isFile = film.dataset.player === "file";
    const player = document.createElement(isFile ? "video" : "iframe");
    player.className = "player";
    player.title = film.getAttribute("aria-label");
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
