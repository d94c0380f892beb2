'use strict';
// Asks for the page again while the run lasts, and replaces its main part.
(() => {
let at = 0;
const again = async () => {
  const note = document.querySelector('.live');
  try {
    const answer = await fetch('/', {cache: 'no-store'});
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    const main = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
    // A reader is not interrupted: in a chart or a table, or with text selected.
    const isBusy = document.activeElement !== document.body || String(getSelection());
    if (main && !isBusy) {
      const open = [...document.querySelectorAll('details')].map(details => details.open);
      document.querySelector('main').replaceWith(document.importNode(main, true));
      [...document.querySelectorAll('details')].forEach((details, n) => details.open = !!open[n]);
      document.dispatchEvent(new Event('replaced'));
    }
    at = Date.now();
    setTimeout(again, 2000);
  } catch {
    if (Date.now() - at > 10000 && at) {
      note.textContent = 'This run is no longer served: it has ended, or lp cannot be reached. Its report is in the folder of results.';
      return;
    }
    at ||= Date.now();
    setTimeout(again, 2000);
  }
};
setTimeout(again, 2000);
})();
