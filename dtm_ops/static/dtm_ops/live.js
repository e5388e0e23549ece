"use strict";
/* Keeps the parts of a page that change by themselves as they are now: every [data-live] section is asked for again and
   replaced where its text differs. How soon again, the first of them says. Without a script the page has a link. */
(() => {
  const address = document.currentScript.dataset.address;
  const sections = (root) => [...root.querySelectorAll("[data-live][id]")];
  const pace = () => 1000 * Number(document.querySelector("[data-pace]")?.dataset.pace || 15);
  const words = (section) => section.textContent.replace(/\s+/g, " ");
  let failed = 0;

  function replace(fresh) {
    const old = document.getElementById(fresh.id);
    if (!old || (words(old) === words(fresh) && old.dataset.pace === fresh.dataset.pace)) return;
    const held = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceWith(fresh);
    if (!held) return;
    const again = held.id && document.getElementById(held.id);
    if (again) return again.focus({ preventScroll: true });
    fresh.tabIndex = -1;
    fresh.focus({ preventScroll: true });
  }

  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } });
        if (answer.redirected || answer.status === 403 || answer.status === 404) return; // logged out, or gone
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          sections(page).forEach((fresh) => replace(document.importNode(fresh, true)));
        }
        failed = answer.ok ? 0 : failed + 1;
      } catch {
        failed += 1; // no network for the moment
      }
    }
    setTimeout(look, Math.min(pace() * 2 ** failed, 60000));
  }

  setTimeout(look, pace());
})();
