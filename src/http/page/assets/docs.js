// Copying commands, filtering the index, and trying operations. The key lives in its field and is sent
// to this service only; nothing is stored.
"use strict";

(() => {
  const find = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const live = find("#live");
  const key = find("#key");

  const announce = (text) => {
    live.textContent = "";
    setTimeout(() => { live.textContent = text; }, 50);
  };

  find("#key-bar").hidden = false;

  /* ---------- commands ---------- */

  for (const block of all("[data-curl]")) {
    block.textContent = block.textContent.replace("$COUNTERSIGN", window.location.origin);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const block = find("[data-curl]", button.parentElement);
    try {
      await navigator.clipboard.writeText(block.textContent);
      announce("Copied.");
      button.firstChild.data = "Copied";
      setTimeout(() => { button.firstChild.data = "Copy"; }, 2_000);
    } catch {
      // Without the right to write to it, the text is at least selected.
      window.getSelection().selectAllChildren(block);
      announce("Selected: copy it with the keyboard.");
    }
  });

  /* ---------- the index ---------- */

  const index = find("#index");
  const filter = find("#filter");
  const small = window.matchMedia("(max-width: 860px)");
  const fold = () => { index.open = !small.matches; };
  fold();
  small.addEventListener("change", fold);

  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const group of all("[data-group]", index)) {
      let some = false;
      for (const item of all("li", group)) {
        const fits = words.every((word) => item.dataset.words.toLowerCase().includes(word));
        item.hidden = !fits;
        some ||= fits;
        shown += fits ? 1 : 0;
      }
      group.hidden = !some;
    }
    announce(shown === 1 ? "1 operation" : `${shown} operations`);
  });
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter") all("li:not([hidden]) a", index)[0]?.click();
    if (event.key === "Escape") {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      index.open = true;
      filter.focus();
    }
  });
  const here = () => {
    for (const link of all("li a", index)) {
      if (link.hash === window.location.hash) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (small.matches && window.location.hash) index.open = false;
  };
  window.addEventListener("hashchange", here);
  here();

  /* ---------- trying ---------- */

  const address = (form) => {
    let path = form.dataset.path;
    const query = new URLSearchParams();
    for (const field of all("[data-place]", form)) {
      const value = field.value.trim();
      if (field.dataset.place === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
      else if (value) query.set(field.name, value);
    }
    const text = query.toString();
    return text ? `${path}?${text}` : path;
  };

  const pretty = (text) => {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  };

  const show = (form, status, headers, text) => {
    const answer = find("[data-answer]", form);
    find("[data-status]", answer).textContent = status;
    const names = find("[data-headers]", answer);
    names.textContent = headers;
    names.hidden = !headers;
    const body = find("[data-text]", answer);
    body.textContent = text;
    body.hidden = !text;
    answer.hidden = false;
    announce(status);
  };

  const send = async (form) => {
    const body = find("[data-body]", form);
    const headers = {};
    if (key.value.trim()) headers.authorization = `Bearer ${key.value.trim()}`;
    if (body) headers["content-type"] = find("[data-media]", form)?.value ?? body.dataset.type;
    const request = { method: form.dataset.method, headers, credentials: "omit", body: body?.value };
    const begun = performance.now();
    try {
      const response = await fetch(address(form), request);
      const text = await response.text();
      const took = Math.round(performance.now() - begun);
      const told = ["content-type", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id"];
      const lines = told.filter((n) => response.headers.has(n)).map((n) => `${n}: ${response.headers.get(n)}`);
      show(form, `${response.status} ${response.statusText} in ${took} ms`, lines.join("\n"), pretty(text));
    } catch {
      show(form, "The service could not be reached.", "", "");
    }
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-try]");
    if (!form) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (form.dataset.busy) return;
    form.dataset.busy = "1";
    await send(form);
    delete form.dataset.busy;
  }, { capture: true });

  document.addEventListener("keydown", (event) => {
    const form = event.target.closest("[data-try]");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  document.addEventListener("change", (event) => {
    const media = event.target.closest("[data-media]");
    if (!media) return;
    find("[data-body]", media.closest("form")).value = media.selectedOptions[0].dataset.example;
  });
})();
