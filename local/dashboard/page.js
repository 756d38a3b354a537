// Shows the custom widgets of the dashboard as the CloudWatch console does: it calls their functions, takes out of the
// answers what the console takes out, and binds their buttons.

const REFRESH_MS = 1000 * (new URLSearchParams(location.search).get("refresh") ?? 5);
const $ = (id) => document.getElementById(id);

/** Calls a function; `forms` are the fields of the widget that the call comes from. */
async function call(endpoint, params, widget) {
  const answer = await fetch("call", {
    method: "POST",
    headers: { "content-type": "application/json", "x-tidegate": "dashboard" },
    body: JSON.stringify({ endpoint, payload: { ...params, widgetContext: contextOf(widget) } }),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said.html;
}

/** What the console tells of who looks. */
function contextOf(widget) {
  const fields = widget.content.querySelectorAll("input[name], select[name], textarea[name]");
  const minutes = -new Date().getTimezoneOffset();
  const two = (n) => String(Math.trunc(Math.abs(n))).padStart(2, "0");
  return {
    dashboardName: widget.dashboard,
    widgetId: widget.id,
    locale: navigator.language,
    timezone: { label: "Local", offsetISO: `${minutes < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}` },
    theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light",
    title: widget.title,
    forms: { all: Object.fromEntries([...fields].map((field) => [field.name, field.value])) },
    params: widget.first.params,
    width: widget.content.clientWidth,
    height: 400,
  };
}

/** Reads HTML, without what the console does not let through. */
function cleaned(html) {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const node of body.querySelectorAll("script, iframe, use, object, embed, base, link, meta")) node.remove();
  for (const node of body.querySelectorAll("*")) {
    for (const { name, value } of [...node.attributes]) {
      if (/^on/i.test(name) || /^\s*javascript:/i.test(value)) node.removeAttribute(name);
    }
  }
  return [...body.childNodes];
}

/** Puts HTML into a place, and binds each action to the element before it. */
function show(place, html, widget) {
  place.replaceChildren(...cleaned(html));
  for (const action of place.querySelectorAll("cwdb-action")) {
    action.hidden = true;
    const target = action.previousElementSibling;
    const does = (name) => action.getAttribute(name);
    target?.addEventListener(does("event") ?? "click", () => act(action.textContent, does, widget));
  }
}

async function act(content, does, widget) {
  if (does("confirmation") && !(await confirmed(does("confirmation")))) return;
  if (does("action") !== "call") return popup(content, widget);
  const params = JSON.parse(content);
  if (does("display") === "widget") {
    widget.now = { endpoint: does("endpoint"), params };
    return refresh(widget);
  }
  try {
    popup(await call(does("endpoint"), params, widget), widget);
  } catch (problem) {
    $("answer").textContent = problem.message;
    open($("popup"));
  }
  // What was the reason for this is none for what comes next.
  for (const field of widget.content.querySelectorAll("input[name=reason]")) field.value = "";
  for (const each of widgets) refresh(each);
}

function confirmed(question) {
  $("asked").textContent = question;
  $("question").returnValue = "";
  $("question").showModal();
  return new Promise((done) => {
    $("question").addEventListener("close", () => done($("question").returnValue === "yes"), { once: true });
  });
}

function popup(html, widget) {
  show($("answer"), html, widget);
  open($("popup"));
}

function open(dialog) {
  if (!dialog.open) dialog.showModal();
}

/** Draws a widget anew, and leaves the focus where it was. */
async function refresh(widget) {
  const turn = ++widget.turn;
  widget.drawing += 1;
  try {
    const html = await call(widget.now.endpoint, widget.now.params, widget);
    if (turn !== widget.turn) return; // a later one has begun
    const buttons = () => [...widget.content.querySelectorAll("button, a, summary")];
    const at = buttons().indexOf(document.activeElement);
    const opened = [...widget.content.querySelectorAll("details")].map((each) => each.open);
    widget.content.classList.remove("failed");
    show(widget.content, html, widget);
    [...widget.content.querySelectorAll("details")].forEach((each, n) => (each.open = opened[n] ?? false));
    if (at >= 0) buttons()[at]?.focus();
  } catch (problem) {
    widget.content.classList.add("failed");
    widget.content.textContent = problem.message;
  } finally {
    widget.drawing -= 1;
  }
}

function typing(widget) {
  return widget.content.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
}

function place(properties, n, dashboard) {
  const section = document.createElement("section");
  const [bar, title, again, content] = ["header", "h2", "button", "div"].map((tag) => document.createElement(tag));
  title.textContent = properties.title;
  title.className = "title";
  again.textContent = "Refresh";
  again.type = "button";
  again.setAttribute("aria-label", `Refresh ${properties.title}`);
  content.className = "content";
  content.dataset.widget = properties.params.view;
  section.setAttribute("aria-label", properties.title);
  bar.append(title, again);
  section.append(bar, content);
  $("widgets").append(section);
  const first = { endpoint: properties.endpoint, params: properties.params };
  const widget = { id: `widget-${n + 1}`, title: properties.title, dashboard, first, now: first, content, turn: 0, drawing: 0 };
  again.addEventListener("click", () => refresh(widget));
  return widget;
}

const board = await (await fetch("board")).json();
$("where").textContent = board.where;
const widgets = board.widgets.map((properties, n) => place(properties, n, board.dashboard));
await Promise.all(widgets.map(refresh));
document.body.dataset.ready = "yes";
setInterval(() => {
  if ($("popup").open || $("question").open) return;
  // One that takes longer than that is waited for: it would never be shown.
  for (const widget of widgets.filter((widget) => !typing(widget) && !widget.drawing)) refresh(widget);
}, REFRESH_MS);
