// The shop's page: plain JavaScript over the JSON API, no build step.
// Whatever comes from the API is put into the page as text, never as HTML.
"use strict";

const PER_PAGE = 12;

const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const moneyFormat = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD" });

// What each tab shows: title, value, and how the cell looks.
const VIEWS = {
  "customers": [
    ["Name", (row) => `${row.first_name} ${row.last_name}`, "strong"],
    ["Email", (row) => row.email],
    ["Phone", (row) => row.phone ?? "–"],
    ["Vehicles", (row) => row.vehicle_count, "number"],
    ["Since", (row) => dateFormat.format(new Date(row.created_at)), "number"],
  ],
  "work-orders": [
    ["No.", (row) => `#${row.id}`],
    ["Work", (row) => row.description, "strong"],
    ["Vehicle", (row) => row.vehicle],
    ["Customer", (row) => row.customer_name],
    ["Status", (row) => row.status, "badge"],
    ["Opened", (row) => dateFormat.format(new Date(row.opened_at)), "number"],
    ["Total", (row) => moneyFormat.format(row.total), "number"],
  ],
  "appointments": [
    ["When", (row) => timeFormat.format(new Date(row.starts_at)), "strong"],
    ["Reason", (row) => row.reason],
    ["Vehicle", (row) => row.vehicle],
    ["Customer", (row) => row.customer_name],
    ["Minutes", (row) => row.duration_minutes, "number"],
    ["Status", (row) => row.status, "badge"],
  ],
};

const byId = (id) => document.getElementById(id);
const state = { view: "customers", query: "", page: 1, pages: 1, user: null, asked: 0 };

class ApiError extends Error {
  constructor(status, body) {
    const fields = Object.entries(body.fields ?? {}).map(([name, what]) => `${name.replaceAll("_", " ")} ${what}`);
    super(fields.length ? fields.join("; ") : body.error ?? `the server answered ${status}`);
    this.status = status;
  }
}

async function api(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(`/api/${path}`, options);
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

function element(tag, text, className) {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

function cell(row, [, value, look]) {
  if (look !== "badge") return element("td", value(row), look);
  const td = document.createElement("td");
  td.append(element("span", value(row).replaceAll("_", " "), `badge ${value(row)}`));
  return td;
}

async function showList() {
  const asked = ++state.asked;
  const parameters = new URLSearchParams({ q: state.query, page: state.page, per_page: PER_PAGE });
  let list;
  try {
    list = await api(`${state.view}?${parameters}`);
  } catch (error) {
    toast(error.message);
    return;
  }
  // A slow answer to an earlier question must not overwrite a newer one.
  if (asked !== state.asked) return;
  const columns = VIEWS[state.view];
  const titles = document.createElement("tr");
  titles.append(...columns.map(([title, , look]) => element("th", title, look === "number" ? look : "")));
  byId("head").replaceChildren(titles);
  byId("rows").replaceChildren(...list.items.map((row) => {
    const tr = document.createElement("tr");
    tr.append(...columns.map((column) => cell(row, column)));
    return tr;
  }));
  if (list.items.length === 0) showNothing(columns.length);
  state.pages = list.pages;
  showPager(list);
}

function showNothing(width) {
  const td = element("td", "Nothing found.", "empty");
  td.colSpan = width;
  const tr = document.createElement("tr");
  tr.append(td);
  byId("rows").replaceChildren(tr);
}

function showPager({ total, page, per_page: perPage, items }) {
  const first = (page - 1) * perPage + 1;
  byId("range").textContent = total ? `${first}–${first + items.length - 1} of ${total}` : "";
  byId("previous").disabled = page <= 1;
  byId("next").disabled = page >= state.pages;
}

async function showCounts() {
  await Promise.all([...document.querySelectorAll("[data-count]")].map(async (node) => {
    const path = node.dataset.count;
    const { total } = await api(`${path}${path.includes("?") ? "&" : "?"}per_page=1`);
    node.textContent = total.toLocaleString();
  })).catch((error) => toast(error.message));
}

async function showUser() {
  state.user = (await api("me").catch(() => ({ username: null }))).username;
  byId("account").textContent = state.user ? `Log out ${state.user}` : "Log in";
}

function selectView(view) {
  Object.assign(state, { view, page: 1 });
  for (const tab of document.querySelectorAll("[data-view]")) {
    tab.setAttribute("aria-selected", tab.dataset.view === view);
  }
  showList();
}

function toast(message) {
  const node = byId("toast");
  node.textContent = message;
  node.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => node.classList.remove("shown"), 3500);
}

function debounce(action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, 200);
  };
}

function openDialog(id) {
  const dialog = byId(id);
  dialog.querySelector("form").reset();
  dialog.querySelector(".problem").textContent = "";
  dialog.showModal();
}

// Writing needs a login: whoever has none is asked for it first.
function openWhenLoggedIn(id) {
  openDialog(state.user ? id : "login-dialog");
  if (id === "appointment-dialog" && state.user) showVehicles();
}

async function showVehicles() {
  const parameters = new URLSearchParams({ q: byId("vehicle-search").value, per_page: 50 });
  const { items } = await api(`vehicles?${parameters}`);
  byId("appointment-dialog").querySelector("select").replaceChildren(...items.map((vehicle) => {
    const plate = vehicle.license_plate ?? vehicle.vin;
    const option = element("option", `${plate} · ${vehicle.make} ${vehicle.model} · ${vehicle.customer_name}`);
    option.value = vehicle.id;
    return option;
  }));
}

function formBody(form) {
  const body = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  if (body.starts_at) body.starts_at = new Date(body.starts_at).toISOString();
  return body;
}

const AFTER = {
  "login": () => toast(`Welcome, ${state.user}.`),
  "customers": (row) => {
    byId("search").value = state.query = row.email;
    selectView("customers");
    toast(`${row.first_name} ${row.last_name} is customer ${row.id}.`);
  },
  "appointments": (row) => {
    byId("search").value = state.query = row.reason;
    selectView("appointments");
    toast(`Booked for ${timeFormat.format(new Date(row.starts_at))}.`);
  },
};

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  const submitButton = form.querySelector("menu button:last-child");
  submitButton.disabled = true;
  try {
    const answer = await api(form.dataset.post, formBody(form));
    form.closest("dialog").close();
    await showUser();
    AFTER[form.dataset.post](answer);
    showCounts();
  } catch (error) {
    form.querySelector(".problem").textContent = `${error.message}.`;
  } finally {
    submitButton.disabled = false;
  }
}

async function logInOrOut() {
  if (!state.user) {
    openDialog("login-dialog");
    return;
  }
  await api("logout", {}).catch((error) => toast(error.message));
  showUser();
}

function turnPage(step) {
  state.page += step;
  showList();
}

for (const form of document.querySelectorAll("form")) form.addEventListener("submit", submit);
for (const button of document.querySelectorAll("[data-cancel]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
for (const tab of document.querySelectorAll("[data-view]")) {
  tab.addEventListener("click", () => selectView(tab.dataset.view));
}
byId("search").addEventListener("input", debounce(() => {
  Object.assign(state, { query: byId("search").value.trim(), page: 1 });
  showList();
}));
byId("vehicle-search").addEventListener("input", debounce(showVehicles));
byId("new-customer").addEventListener("click", () => openWhenLoggedIn("customer-dialog"));
byId("new-appointment").addEventListener("click", () => openWhenLoggedIn("appointment-dialog"));
byId("account").addEventListener("click", logInOrOut);
byId("previous").addEventListener("click", () => turnPage(-1));
byId("next").addEventListener("click", () => turnPage(1));

selectView("customers");
showCounts();
showUser();
