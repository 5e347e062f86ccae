// MLflow's client prints addresses such as SITE/#/experiments/5/runs/…: what is behind the hash never reaches the server, so it is
// handed on here, past signing in where that comes first.
const wanted = /^#\/((?:experiments|models)\/.+)$/.exec(location.hash);
if (wanted) {
  const target = `/from-mlflow?at=${encodeURIComponent(wanted[1].split("?")[0])}`;
  const form = document.querySelector('form[action$="/accounts/login/"]');
  if (!form) {
    location.replace(target);
  } else {
    let next = form.querySelector('input[name="next"]');
    if (!next) {
      next = document.createElement("input");
      next.type = "hidden";
      next.name = "next";
      form.append(next);
    }
    next.value = target;
  }
}
