// Everything here only speeds up what links and forms already do: keys, live lists, countdowns.
// No HTML is built from strings; fresh rows are nodes of the same page, fetched again.
"use strict";

(() => {
  const POLL_MS = 10_000;
  const HASTE_MS = 2_000;

  const find = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const visible = (element) => !!element && element.getClientRects().length > 0;

  const store = (area, key, value) => {
    try {
      if (value === undefined) return area.getItem(key);
      area.setItem(key, value);
    } catch {
      // Storage may be forbidden; then nothing is remembered.
    }
    return null;
  };

  /* ---------- saying things ---------- */

  const live = find("#live");
  const toast = find("#toast");
  let toastTimer = 0;

  const announce = (text) => {
    live.textContent = "";
    setTimeout(() => { live.textContent = text; }, 50);
  };

  const say = (text) => {
    announce(text);
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { toast.hidden = true; }, 4_000);
  };

  /** A message that stays, with the one thing to do about it. */
  const offer = (text, label, href) => {
    clearTimeout(toastTimer);
    const link = document.createElement("a");
    link.href = href;
    link.textContent = label;
    toast.replaceChildren(text, " ", link);
    toast.hidden = false;
    announce(`${text} ${label}.`);
  };

  /* ---------- forms ---------- */

  const editors = () => all("form[data-editor]");
  const dirty = () => editors().some((form) =>
    all("textarea, input[type=text]", form).some((field) => field.value !== field.defaultValue));
  let leaving = false;

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog") return;
    if (form.dataset.busy) {
      event.preventDefault();
      return;
    }
    if (!form.matches("[data-editor], [data-action=undo]") && form.closest("#actions") && dirty()) {
      event.preventDefault();
      say("The editor holds unsaved text: save or discard it first.");
      return;
    }
    leaving = true;
    form.dataset.busy = "1";
    // After the event, so that the pressed button's own value is still part of the form.
    setTimeout(() => all("button", form).forEach((button) => button.setAttribute("aria-disabled", "true")));
  });

  window.addEventListener("beforeunload", (event) => {
    if (!leaving && dirty()) event.preventDefault();
  });

  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    leaving = false;
    if (find("[data-countdown], [data-busy]")) location.reload();
    else refresh();
  });

  document.addEventListener("input", () => {
    const unsaved = dirty();
    all("details.act").forEach((act) => act.classList.toggle("unsaved", unsaved && !!find("[data-editor]", act)));
  });

  document.addEventListener("reset", () => {
    setTimeout(() => document.dispatchEvent(new Event("input")));
  });

  // One tick stands for both places that ask for it.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-flags]")) {
      all("[data-flags]").forEach((box) => { box.checked = event.target.checked; });
    }
  });

  document.addEventListener("click", (event) => {
    const insert = event.target.closest("[data-insert]");
    if (insert) {
      const area = find("textarea", insert.closest("form"));
      area.setRangeText(insert.dataset.insert, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
      area.focus();
    }
    const open = event.target.closest("[data-open]");
    if (open) help();
  });

  /* ---------- keys ---------- */

  const keysBox = find("#keys-on");
  const showKeys = () => { document.documentElement.dataset.keys = store(localStorage, "keys") === "off" ? "off" : "on"; };
  if (keysBox) {
    showKeys();
    keysBox.checked = document.documentElement.dataset.keys === "on";
    keysBox.addEventListener("change", () => {
      store(localStorage, "keys", keysBox.checked ? "on" : "off");
      showKeys();
    });
  }

  const help = () => find("#help")?.showModal();

  const move = (by) => {
    const step = find(by > 0 ? ".step[rel=next]" : ".step[rel=prev]");
    if (step) return step.click();
    if (find(".p-review")) return say(by > 0 ? "This is the last review." : "This is the first review.");
    const links = all(".rows .row-link");
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? 0 : at + by];
    if (next) next.focus();
    return undefined;
  };

  const letterEnd = all("#letter .sent").at(-1);
  let letterSeen = false;
  if (letterEnd && "IntersectionObserver" in window) {
    new IntersectionObserver((entries) => {
      letterSeen ||= entries.some((entry) => entry.isIntersecting);
    }).observe(letterEnd);
  }

  /** Whether the element's end is on the screen now; the observer reports a little later. */
  const inView = (element) => {
    if (!element) return false;
    const floor = find("#actions")?.getBoundingClientRect().top ?? innerHeight;
    const { bottom } = element.getBoundingClientRect();
    return bottom > 0 && bottom <= Math.min(floor, innerHeight) + 1;
  };

  const approve = () => {
    const form = find("form[data-action=approve]");
    if (!form) return say("There is nothing to approve here.");
    if (!visible(find("button", form))) return say("Close the editor first, or press Ctrl+Enter in it.");
    letterSeen ||= inView(letterEnd);
    if (!letterSeen) {
      letterEnd?.scrollIntoView({ block: "center" });
      find("#letter")?.focus({ preventScroll: true });
      return say("Read the draft to its end, then press A again.");
    }
    const box = find("[data-flags]", form);
    if (box && !box.checked) {
      find("#flags")?.scrollIntoView({ block: "nearest" });
      box.focus();
      return say("Flags ask for a look: tick the box first.");
    }
    return form.requestSubmit();
  };

  const toggle = (key) => {
    const act = find(`details[data-key="${key}"]`);
    if (!act) return;
    const fixed = act.matches(".act") && !act.hasAttribute("name");
    act.open = fixed || !act.open;
    const field = ["textarea", "select", "input:not([type=hidden])", "button"].map((kind) => find(`.panel ${kind}`, act));
    (act.open ? field.find(Boolean) : find("summary", act))?.focus();
  };

  const submit = (action) => {
    const form = all(`form[data-action=${action}]`).find(visible);
    if (form) form.requestSubmit();
  };

  const filter = () => {
    const field = find("#q");
    if (field) {
      field.focus();
      field.select();
    } else {
      const back = find("[data-back]");
      if (back) location.assign(`${back.href}#q`);
    }
  };

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    a: approve,
    c: () => submit("claim"),
    u: () => submit("undo"),
    "/": filter,
    "?": help,
  };
  for (const key of ["e", "w", "r", "s", "x", "g", "l"]) KEYS[key] = () => toggle(key);

  const escape = (target) => {
    const act = find("details.act[name][open]");
    if (act) {
      act.open = false;
      return find("summary", act).focus();
    }
    if (target.matches("input, textarea, select")) return target.blur();
    if (!toast.hidden) {
      toast.hidden = true;
      return undefined;
    }
    return find("[data-back]")?.click();
  };

  const typing = (target) =>
    target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio])");

  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.defaultPrevented || event.isComposing || find("dialog[open]")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const form = target.closest("form[data-editor]");
      if (form) {
        event.preventDefault();
        form.requestSubmit(find("button[value=approve]", form));
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      escape(target);
      return;
    }
    if (typing(target) || document.documentElement.dataset.keys === "off") return;
    if (event.shiftKey && event.key !== "?") return;
    const key = event.key.toLowerCase();
    if (!Object.hasOwn(KEYS, key) || (event.repeat && key !== "j" && key !== "k")) return;
    event.preventDefault();
    KEYS[key]();
  });

  /* ---------- the hold ---------- */

  for (const hold of all("[data-countdown]")) {
    const seconds = Number(hold.dataset.countdown);
    const began = performance.now();
    const timer = setInterval(() => {
      const left = Math.max(0, seconds - (performance.now() - began) / 1000);
      find("[data-seconds]", hold).textContent = String(Math.ceil(left));
      const progress = find("progress", hold);
      if (progress) progress.value = left;
      if (left > 0) return;
      clearInterval(timer);
      all("button", hold).forEach((button) => { button.hidden = true; });
      schedule(HASTE_MS / 4);
    }, 200);
  }

  /* ---------- staying fresh ---------- */

  const scroller = () => {
    const pane = find(".pane-list");
    return pane ?? document.scrollingElement;
  };

  /** The row that must not move under the reader: the focused one, the hovered one, the first in view. */
  const anchor = (rows) => {
    const held = rows.find((row) => row.matches(":focus-within")) ?? rows.find((row) => row.matches(":hover"));
    if (held) return held;
    if (scroller().scrollTop === 0) return undefined;
    return rows.find((row) => row.getBoundingClientRect().bottom > 120);
  };

  const mergeRows = (list, fresh) => {
    const before = [...list.children];
    const focusedAt = before.findIndex((row) => row.matches(":focus-within"));
    const held = anchor(before);
    const heldId = held?.id;
    const top = held?.getBoundingClientRect().top;
    const known = new Map(before.map((row) => [row.id, row]));
    const wanted = [...fresh.children].map((row) => {
      const have = known.get(row.id);
      known.delete(row.id);
      return have && have.outerHTML === row.outerHTML ? have : document.adoptNode(row);
    });
    if (wanted.length === before.length && wanted.every((row, at) => row === before[at])) return;

    const added = wanted.filter((row) => !before.some((old) => old.id === row.id)).length;
    const focusedId = before[focusedAt]?.id;
    list.replaceChildren(...wanted);
    if (focusedAt >= 0) {
      const row = wanted.find((one) => one.id === focusedId) ?? wanted[Math.min(focusedAt, wanted.length - 1)];
      find(".row-link", row ?? list)?.focus({ preventScroll: true });
    }
    const stays = heldId && wanted.find((row) => row.id === heldId);
    if (stays) scroller().scrollTop += stays.getBoundingClientRect().top - top;
    if (added > 0) announce(added === 1 ? "One new review." : `${added} new reviews.`);
  };

  const mergeRegions = (next) => {
    for (const old of all("[data-live]")) {
      const fresh = find(`[data-live="${old.dataset.live}"]`, next);
      if (!fresh) {
        if (old.dataset.live === "pager") old.remove();
      } else if (old.matches("ol.rows") && fresh.matches("ol.rows")) {
        mergeRows(old, fresh);
      } else if (old.outerHTML !== fresh.outerHTML && !old.contains(document.activeElement)) {
        old.replaceWith(document.adoptNode(fresh));
      }
    }
    const pager = find("[data-live=pager]", next);
    if (pager && !find("[data-live=pager]")) find("#list")?.append(document.adoptNode(pager));
    if (document.title !== next.title) document.title = next.title;
  };

  const mergeReview = (next) => {
    const now = find("main[data-stamp]");
    const then = find("main[data-stamp]", next);
    if (!now || !then || now.dataset.stamp === then.dataset.stamp) return;
    const moving = ["approved", "held", "sending"].includes(now.dataset.state);
    if (moving && !dirty()) {
      location.reload();
    } else {
      offer("This review changed meanwhile.", "Load it", location.href);
      now.dataset.stamp = then.dataset.stamp;
    }
  };

  let timer = 0;
  const schedule = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(refresh, wait);
  };

  const refresh = async () => {
    if (!find("[data-poll]") || leaving) return;
    if (!document.hidden) {
      try {
        // The header tells the server that no person asked: no notice is used up, no session prolonged.
        const answer = await fetch(location.href, { cache: "no-store", headers: { "x-countersign-poll": "1" } });
        if (answer.redirected && new URL(answer.url).pathname === "/login") {
          offer("You are signed out.", "Sign in", "/login");
          return;
        }
        if (answer.ok && !leaving) {
          const next = new DOMParser().parseFromString(await answer.text(), "text/html");
          mergeRegions(next);
          mergeReview(next);
        }
      } catch {
        // Offline or restarting: the next turn tries again.
      }
    }
    const over = find(".hold [data-seconds]")?.textContent === "0" || find("main[data-state=sending]");
    schedule(over ? HASTE_MS : POLL_MS);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) schedule(0);
  });
  schedule(POLL_MS);

  /* ---------- arriving ---------- */

  // What was done is told once, not again after a reload.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }

  const notice = find("#notice.k-conflict, #notice.k-error");
  if (notice) notice.focus();

  const open = find(".row-link[aria-current]");
  if (open) {
    store(sessionStorage, "row", open.closest(".row").id);
    open.closest(".row").scrollIntoView({ block: "nearest" });
  } else if (find(".p-queue") && !notice && !location.hash) {
    const row = document.getElementById(store(sessionStorage, "row") ?? "");
    find(".row-link", row ?? document.createElement("p"))?.focus();
  }
})();
