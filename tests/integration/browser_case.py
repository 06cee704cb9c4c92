"""Tests that look at the live page in a browser."""
import re
import unittest

from programs import Case, wait_until
from webdriver import Browser, missing

PHONE = (360, 740)
DESKTOP = (1280, 900)

# The colours of all texts that are seen and of what is below them: those with too little contrast.
# 4.5:1, or 3:1 for large text, as WCAG 2.2 has it (1.4.3).
LOW_CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (rgb) => rgb.slice(0, 3).map((value) => value / 255)
  .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
  .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
const below = (element) => {
  for (; element; element = element.parentElement) {
    const colour = parse(getComputedStyle(element).backgroundColor);
    if (colour.length === 3 || colour[3] === 1)
      return colour;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const faults = [];
let count = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, .unseen"))
    continue;
  const style = getComputedStyle(element);
  const [a, b] = [light(parse(style.color)), light(below(element))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
  count++;
  if (contrast < (isLarge ? 3 : 4.5))
    faults.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
}
return {count, faults};
"""

# What a checker of accessibility would find first.
FAULTS = """
const faults = [];
const check = (is, text) => { if (!is) faults.push(text); };
const all = (selector) => [...document.querySelectorAll(selector)];
const nameOf = (element) => element.getAttribute("aria-label") ||
  (element.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean)
    .map((id) => (document.getElementById(id) || {}).textContent).join(" ").trim() ||
  (element.labels && element.labels.length > 0 ? element.labels[0].textContent : "") ||
  (element.matches("button, a") ? element.textContent : "");
check(["en", "es"].includes(document.documentElement.lang), "lang");
check(document.title !== "", "title");
check(all("h1").length === 1, "one h1");
for (const tag of ["header", "main", "footer"])
  check(all(`body > ${tag}`).length === 1, `one ${tag}`);
let level = 0;
for (const heading of all("h1, h2, h3, h4")) {
  check(Number(heading.tagName[1]) <= level + 1, `level of ${heading.outerHTML}`);
  level = Number(heading.tagName[1]);
  if (heading.checkVisibility())
    check(heading.textContent.trim() !== "", `empty ${heading.outerHTML}`);
}
for (const element of all("button, select, input, a, nav, section, figure, [role=img]"))
  check(nameOf(element).trim() !== "" || !element.checkVisibility(), `no name: ${element.outerHTML}`);
for (const cell of all("thead th"))
  check(cell.scope === "col", `scope of ${cell.outerHTML}`);
for (const row of all("tbody tr"))
  check(row.cells[0].tagName === "TH" && row.cells[0].scope === "row", `head of ${row.outerHTML}`);
for (const table of all("table"))
  check(table.caption && table.caption.textContent !== "", "caption");
const ids = all("[id]").map((element) => element.id);
check(new Set(ids).size === ids.length, "an id twice");
check(all("[tabindex]").every((element) => element.tabIndex <= 0), "tabindex above 0");
for (const element of all("svg"))
  check(element.getAttribute("aria-hidden") === "true" && element.closest("[role=img]"), "svg without text");
for (const element of all("[data-text]"))
  check(element.textContent.trim() !== "", `no text: ${element.dataset.text}`);
check(!/undefined|null|NaN|\\{\\w+\\}/.test(document.body.innerText), "a value that is missing");
return faults;
"""


browsers = {}  # by their languages: one of each for all tests


def stop_browsers():
    """To be called when a script's tests are over."""
    for browser in browsers.values():
        browser.stop()


class BrowserCase(Case):
    """Tests with a browser, which has to be silent: no error, nothing that the policy refuses, no
    request to anybody but the observer."""

    languages = "en-US,en"

    @classmethod
    def setUpClass(cls):
        why = missing()
        if why is not None:
            raise unittest.SkipTest(why)
        if cls.languages not in browsers:
            browsers[cls.languages] = Browser(cls.languages)
        cls.browser = browsers[cls.languages]

    def setUp(self):
        super().setUp()
        self.expected_console = None  # a pattern of messages that belong to the test
        self.address = None
        self.browser.resize(DESKTOP)
        self.browser.emulate(is_dark=False)

    def tearDown(self):
        self.browser.open("about:blank")  # the page asks no more
        messages = [entry["message"] for entry in self.browser.console()]
        hosts = self.browser.hosts()
        super().tearDown()
        self.assertEqual([message for message in messages if self.expected_console is None or
                          not re.search(self.expected_console, message)], [])
        self.assertLessEqual(hosts, {self.address.split("/")[2]} if self.address else set())

    def show(self, address):
        """Opens the page and waits for its first figures."""
        self.address = address
        self.browser.open(address)
        self.wait_data("link", "live")

    def value(self, script):
        return self.browser.run(f"return {script}")

    def text(self, name):
        return self.browser.run("return document.getElementById(arguments[0]).textContent", name)

    def data(self, name, key="value"):
        return self.browser.run("return document.getElementById(arguments[0]).dataset[arguments[1]]",
                                name, key)

    def is_shown(self, name):
        return self.browser.run("return document.getElementById(arguments[0]).checkVisibility()", name)

    def wait(self, script, what=None, seconds=30):
        return wait_until(lambda: self.value(script), what or script, seconds, pause=0.05)

    def wait_data(self, key, value, seconds=30):
        self.wait(f"document.body.dataset.{key} === '{value}'", seconds=seconds)

    def wait_text(self, name, text, seconds=30):
        wait_until(lambda: self.text(name) == text, f"{name}: {text}, not {self.text(name)}", seconds,
                   pause=0.05)

    def steps(self):
        """The line of steps: [(phase, done or now or later), ...]."""
        return [tuple(step) for step in self.value(
            "[...document.querySelectorAll('#steps li')].map((li) => [li.dataset.phase, "
            "li.dataset.step])")]

    def rows(self):
        """The rows of the table as people see them."""
        return self.value("[...document.querySelectorAll('#rows tr')].map((row) => "
                          "[...row.cells].map((cell) => cell.innerText.trim()))")

    def numbers(self):
        """The agencies in the table."""
        return [int(row[0]) for row in self.rows()]

    def check_page(self):
        """What has to be so in every state: readable in both schemes, accessible, not too wide."""
        self.assertEqual(self.browser.run(FAULTS), [])
        for is_dark in (True, False):
            self.browser.emulate(is_dark)
            seen = self.browser.run(LOW_CONTRAST)
            self.assertEqual(seen["faults"], [])
            self.assertGreater(seen["count"], 10)
        for size in (PHONE, DESKTOP):
            self.browser.resize(size)
            self.assertEqual(self.value("document.documentElement.scrollWidth"), size[0])
