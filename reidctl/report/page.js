
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const press = (buttons, pressed) => buttons.forEach(button => button.setAttribute("aria-pressed", button === pressed));

// One data set at a time; without this script all of them, one below the other.
const targets = all("main"), tabs = all("nav button");
const show = number => targets.forEach(target => { target.hidden = target.dataset.target !== number; });
tabs.forEach(tab => tab.addEventListener("click", () => { show(tab.dataset.target); press(tabs, tab); }));
if (tabs.length) show("1");

for (const section of all(".queries")) {
  const list = section.querySelector(".list"), cards = [...list.children], count = section.querySelector("output");
  const buttons = all("button", section), filter = section.querySelector("input");
  const value = (card, key) => card.dataset[key] === "" ? NaN : Number(card.dataset[key]);
  const sort = button => {
    const { key, way } = button.dataset;
    // Queries without a match come last either way.
    const last = card => Number.isNaN(value(card, key));
    cards.sort((a, b) => last(a) - last(b) || (last(a) ? 0 : way * (value(a, key) - value(b, key))));
    list.append(...cards);
    press(buttons, button);
    list.dataset.sorted = `${key} ${way}`;
  };
  const narrow = () => {
    const words = filter.value.trim().toLowerCase();
    // A number counts whole: id 1 is not id 12.
    const wanted = /^(id|cam) \d+$/.test(words) ? new RegExp(`\\b${words}\\b`) : null;
    for (const card of cards) {
      const text = card.dataset.text.toLowerCase();
      card.hidden = wanted ? !wanted.test(text) : !text.includes(words);
    }
    const left = cards.filter(card => !card.hidden).length;
    count.textContent = left === cards.length ? `${left} queries` : `${left} of ${cards.length} queries`;
  };
  buttons.forEach(button => button.addEventListener("click", () => sort(button)));
  filter.addEventListener("input", narrow);
  sort(buttons[0]);
  narrow();
}

const tip = document.querySelector(".tip");
document.addEventListener("pointermove", event => {
  const over = event.target.closest?.("[data-tip]");
  tip.hidden = !over;
  if (!over) return;
  tip.textContent = over.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 4))}px`;
  tip.style.top = `${event.clientY + 16 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 16}px`;
});

for (const chart of all(".maps svg")) {
  const dots = all(".dot", chart);
  chart.addEventListener("pointerover", event => {
    const { group } = event.target.dataset;
    chart.classList.toggle("focused", group !== undefined);
    dots.forEach(dot => dot.classList.toggle("on", dot.dataset.group === group));
  });
  chart.addEventListener("pointerleave", () => chart.classList.remove("focused"));
}
document.documentElement.dataset.ready = "true";
