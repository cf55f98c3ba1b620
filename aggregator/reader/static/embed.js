// <activity-stream>: the stream in a page of yours, live. Attributes: kind, topic, country, cohort, source, network,
// lang, q, limit, theme, heading. No dependency; works under a strict Content-Security-Policy.
"use strict";

(() => {
  if (customElements.get("activity-stream")) return;
  const home = new URL(".", document.currentScript.src).href;
  const filters = ["kind", "topic", "country", "cohort", "source", "network", "lang", "q"];
  const soon = 300; // milliseconds in which several changes become one

  class ActivityStream extends HTMLElement {
    static observedAttributes = [...filters, "limit", "heading"];
    #root = this.attachShadow({ mode: "open" });
    #section = document.createElement("section");
    #fallback = document.createElement("slot");
    #source = null;
    #timer = 0;
    #asked = 0;

    constructor() {
      super();
      const sheet = document.createElement("link");
      sheet.rel = "stylesheet";
      sheet.href = `${home}embed.css`;
      this.#section.className = "stream";
      this.#section.part = "stream";
      this.#section.hidden = true;
      this.#root.append(sheet, this.#section, this.#fallback);
    }

    connectedCallback() {
      document.addEventListener("visibilitychange", this);
      this.#load();
      this.#listen();
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this);
      clearTimeout(this.#timer);
      this.#asked += 1; // what is under way comes too late
      this.#hush();
    }

    attributeChangedCallback(_name, before, after) {
      if (!this.isConnected || before === after) return;
      this.#hush();
      this.#later();
      this.#listen();
    }

    // A browser opens few connections to one host: a page that nobody sees gives its own back.
    handleEvent() {
      if (document.hidden) {
        this.#hush();
      } else {
        this.#later();
        this.#listen();
      }
    }

    #query(more = {}) {
      const query = new URLSearchParams();
      for (const name of filters) {
        if (this.hasAttribute(name)) query.set(name, this.getAttribute(name));
      }
      for (const [name, value] of Object.entries(more)) query.set(name, value);
      return query.size ? `?${query}` : "";
    }

    #listen() {
      if (this.#source || document.hidden) return;
      this.#source = new EventSource(`${home}api/v1/live${this.#query()}`);
      for (const type of ["activity", "gone", "reset"]) this.#source.addEventListener(type, () => this.#later());
    }

    #hush() {
      this.#source?.close();
      this.#source = null;
    }

    #later() {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#load(), soon);
    }

    async #load() {
      const turn = ++this.#asked;
      const limit = Math.min(Math.max(Number.parseInt(this.getAttribute("limit") ?? "5", 10) || 5, 1), 50);
      this.#section.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(`${home}embed/items${this.#query({ limit })}`, { cache: "no-cache" });
        if (!answer.ok) throw new Error(`the stream answered ${answer.status}`);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (turn === this.#asked) this.#show(page.querySelector(".items"));
      } catch (problem) {
        // What was shown stays; before anything was, the page's own words do.
        if (turn === this.#asked) this.dispatchEvent(new CustomEvent("stream-error", { detail: String(problem) }));
      } finally {
        this.#section.removeAttribute("aria-busy");
      }
    }

    #show(items) {
      if (!items) return;
      for (const link of items.querySelectorAll('a[href^="/"]')) link.href = new URL(link.getAttribute("href"), home);
      const held = this.#root.activeElement;
      const id = held?.closest("[data-id]")?.dataset.id;
      const name = this.getAttribute("heading");
      const parts = [document.adoptNode(items)];
      if (name) {
        const heading = document.createElement("h2");
        heading.className = "heading";
        heading.id = "heading";
        heading.part = "heading";
        heading.textContent = name;
        parts.unshift(heading);
        this.#section.setAttribute("aria-labelledby", "heading");
      } else {
        this.#section.removeAttribute("aria-labelledby");
        this.#section.setAttribute("aria-label", "Activity stream");
      }
      const more = document.createElement("p");
      more.className = "more";
      more.append(Object.assign(document.createElement("a"), { href: home + this.#query(), textContent: "More" }));
      this.#section.replaceChildren(...parts, more);
      this.#section.hidden = false;
      this.#fallback.hidden = true;
      if (id) this.#section.querySelector(`[data-id="${CSS.escape(id)}"] a[href="${CSS.escape(held.getAttribute("href"))}"]`)?.focus();
      this.dispatchEvent(new CustomEvent("stream-loaded", { detail: items.children.length }));
    }
  }
  customElements.define("activity-stream", ActivityStream);
})();
