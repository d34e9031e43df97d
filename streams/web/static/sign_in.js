// The code stands behind the link's #, which browsers send nowhere: it is taken from there, and out of the history.

function enter() {
  const code = decodeURIComponent(location.hash.slice(1));
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("code").value = code;
  document.getElementById("sign-in").requestSubmit();
}

addEventListener("hashchange", enter); // a link that is pasted while the page is open loads nothing anew
enter();
