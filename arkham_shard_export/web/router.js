// Each view has an address, in whichever host: /export/jobs?status=failed, or /api/export/ui/jobs?status=failed.
const ANYWHERE = "/api/export/ui";
const base = location.pathname.startsWith(ANYWHERE) ? ANYWHERE : "/export";
const here = () => location.pathname + location.search;
let show = () => {};
let shown = null;

/** Where a view is found with these parameters; empty ones are left out. */
export function address(view, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
  const text = query.toString().replaceAll("%2C", ",");
  return `${base}${view && `/${view}`}${text && `?${text}`}`;
}

/** The view and its parameters, as the address has them. */
export function current() {
  const view = location.pathname.slice(base.length).replace(/^\/+|\/+$/g, "");
  return { view, params: Object.fromEntries(new URLSearchParams(location.search)) };
}

export function go(view, params = {}) {
  history.pushState(null, "", address(view, params));
  arrived();
}

/** A link to a place on the same view leads nowhere else. */
function arrived() {
  if (here() === shown) return;
  shown = here();
  show();
}

/** Note in the address what is chosen; the view goes on. */
export function note(view, params) {
  history.replaceState(null, "", address(view, params));
  shown = here();
}

/** Call `showView` now, and whenever the address leads elsewhere within the page. */
export function route(showView) {
  show = showView;
  addEventListener("popstate", arrived);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || link.target || link.hasAttribute("download") || event.defaultPrevented || event.button) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    const within = url.origin === location.origin && (url.pathname === base || url.pathname.startsWith(`${base}/`));
    if (!within || url.hash) return;
    event.preventDefault();
    if (url.href !== location.href) history.pushState(null, "", url.href);
    arrived();
  });
  arrived();
}
