// <activity-stream>: the live stream in any page. Attributes: kind, topic, country, cohort, source, network,
// lang, q, limit, theme, heading, and locale: a language of the portal. No dependency; works under a strict Content-Security-Policy and Trusted Types.
"use strict";

(() => {
  if (customElements.get("activity-stream")) return;
  const home = new URL(".", document.currentScript.src).href;
  const filters = ["kind", "topic", "country", "cohort", "source", "network", "lang", "q"];
  const soon = 300; // milliseconds in which changes are combined
  const newer = 2000; // milliseconds before retrying after a stale list
  const retry = 15_000; // milliseconds before retrying after a failure
  const shortest = 1000; // milliseconds before reconnecting; doubles with each attempt
  const longest = 60_000;

  class ActivityStream extends HTMLElement {
    static observedAttributes = [...filters, "limit", "heading", "locale"];
    // All elements of a page share one connection: over HTTP/1.1 a browser opens no more than six to one host.
    static #elements = new Set();
    static #connection = null;
    static #reopening = 0;
    static #wait = shortest;
    static #missed = false;
    #root = this.attachShadow({ mode: "open" });
    #section = document.createElement("section");
    #fallback = document.createElement("slot");
    #timer = 0;
    #requests = 0;

    static {
      // Browsers limit connections per host: hidden pages close theirs.
      document.addEventListener("visibilitychange", () => {
        if (document.hidden) {
          this.#disconnect();
        } else {
          for (const element of this.#elements) element.#later();
          this.#connect();
        }
      });
    }

    static #connect() {
      clearTimeout(this.#reopening);
      if (this.#connection || document.hidden || this.#elements.size === 0) return;
      const connection = new EventSource(`${home}api/v1/live`);
      this.#connection = connection;
      connection.onopen = () => {
        this.#wait = shortest;
        if (this.#missed) for (const element of this.#elements) element.#later();
        this.#missed = false;
      };
      connection.onerror = () => {
        this.#missed = true;
        // Browsers reconnect after a lost connection, but not after an error status such as a proxy's 502.
        if (connection.readyState !== EventSource.CLOSED) return;
        this.#connection = null;
        this.#reopening = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
        this.#wait = Math.min(2 * this.#wait, longest);
      };
      for (const type of ["activity", "gone", "reset"]) {
        connection.addEventListener(type, (event) => {
          const item = JSON.parse(event.data);
          for (const element of this.#elements) if (element.#isConcerned(type, item)) element.#later();
        });
      }
    }

    static #disconnect() {
      clearTimeout(this.#reopening);
      this.#connection?.close();
      this.#connection = null;
    }

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
      ActivityStream.#elements.add(this);
      this.#load();
      ActivityStream.#connect();
    }

    disconnectedCallback() {
      ActivityStream.#elements.delete(this);
      clearTimeout(this.#timer);
      this.#requests += 1; // ignore running requests
      if (ActivityStream.#elements.size === 0) ActivityStream.#disconnect();
    }

    attributeChangedCallback(_name, before, after) {
      if (this.isConnected && before !== after) this.#later();
    }

    // Whether a change may affect this list. Filters that can't be checked here are left to the server.
    #isConcerned(type, item) {
      if (type === "reset" || this.#section.querySelector(`[data-id="${CSS.escape(item.id)}"]`)) return true;
      if (type === "gone") return false;
      const { kind, network, source, topics, countries } = item;
      const of = { kind: [kind], network: [network], source: [source.slug], topic: topics, country: countries };
      return Object.entries(of).every(([name, values]) => {
        const allowed = this.getAttribute(name)?.toLowerCase().split(",");
        return !allowed || values.some((value) => allowed.includes(value.toLowerCase()));
      });
    }

    // The address below which pages are in the language of this element.
    get #home() {
      const locale = this.getAttribute("locale");
      return locale ? `${home}${encodeURIComponent(locale)}/` : home;
    }

    #query(more = {}) {
      const query = new URLSearchParams();
      for (const name of filters) {
        if (this.hasAttribute(name)) query.set(name, this.getAttribute(name));
      }
      for (const [name, value] of Object.entries(more)) query.set(name, value);
      return query.size ? `?${query}` : "";
    }

    #later(delay = soon) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#load(), delay);
    }

    #load() {
      const turn = ++this.#requests;
      const limit = Math.min(Math.max(Number.parseInt(this.getAttribute("limit") ?? "5", 10) || 5, 1), 50);
      const request = new XMLHttpRequest();
      request.open("GET", `${this.#home}embed/items${this.#query({ limit })}`);
      request.setRequestHeader("Accept", "text/html");
      request.responseType = "document"; // parsed by the browser, as Trusted Types require
      request.timeout = retry;
      request.onloadend = () => {
        if (turn !== this.#requests) return;
        this.#section.removeAttribute("aria-busy");
        const items = request.status === 200 ? request.response?.querySelector(".items") : null;
        if (items) {
          this.#show(items);
          if (request.getResponseHeader("Cache-Status")?.includes("stale")) this.#later(newer);
        } else this.#failed(request.status, request.response);
      };
      this.#section.setAttribute("aria-busy", "true");
      request.send();
    }

    // Keep the current list, or the page's fallback content.
    #failed(status, page) {
      const isMistake = status === 400; // of an attribute: the same request would fail again
      if (!isMistake) this.#later(retry * (0.5 + Math.random()));
      const reason = (isMistake && page?.querySelector(".lead")?.textContent) || `the stream answered ${status || "nothing"}`;
      if (isMistake) console.warn(`<activity-stream>: ${reason}`);
      this.dispatchEvent(new CustomEvent("stream-error", { detail: reason }));
    }

    #show(items) {
      for (const link of items.querySelectorAll('a[href^="/"]')) link.href = new URL(link.getAttribute("href"), home);
      for (const image of items.querySelectorAll('img[src^="/"]')) image.src = new URL(image.getAttribute("src"), home);
      const focused = this.#root.activeElement;
      const id = focused?.closest("[data-id]")?.dataset.id;
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
        this.#section.setAttribute("aria-label", items.dataset.name);
      }
      this.#section.lang = items.lang;
      this.#section.dir = items.dir;
      const more = document.createElement("p");
      more.className = "more";
      more.append(Object.assign(document.createElement("a"), { href: this.#home + this.#query(), textContent: items.dataset.more }));
      this.#section.replaceChildren(...parts, more);
      this.#section.hidden = false;
      this.#fallback.hidden = true;
      if (id) this.#section.querySelector(`[data-id="${CSS.escape(id)}"] a[href="${CSS.escape(focused.getAttribute("href"))}"]`)?.focus();
      this.dispatchEvent(new CustomEvent("stream-loaded", { detail: items.children.length }));
    }
  }
  customElements.define("activity-stream", ActivityStream);
})();
