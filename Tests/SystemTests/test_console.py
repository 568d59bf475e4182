"""The console in a real browser: Debian's chromium, headless, through its driver. `BrowserTests.swift` starts the shop
and says where it is; each test is one story of somebody at the page."""

import os
import sqlite3
import subprocess
import tempfile

import boto3
import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

CONSOLE = os.environ["CONSOLE_URL"]
VIEWS = ["/", "/shop", "/orders", "/dead-letters", "/mail", "/webhooks"]


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    profile = tempfile.mkdtemp()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     f"--user-data-dir={profile}", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(
        os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"), log_output=subprocess.DEVNULL)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def nothing_went_wrong(driver):
    """What a test does must leave no error in the browser: no exception, and nothing that the policy forbids."""
    driver.get_log("browser")
    yield
    entries = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    # An answer that says no is shown on the page; the browser notes it too.
    assert [entry for entry in entries if "Failed to load resource" not in entry["message"]] == []


class Page:
    def __init__(self, driver):
        self.driver = driver

    def open(self, path):
        self.driver.get(CONSOLE + path)
        self.wait(lambda: self.text("#pulse") == "Live")

    def wait(self, condition, seconds=20):
        try:
            return WebDriverWait(self.driver, seconds, 0.1, [Exception]).until(lambda _: condition())
        except TimeoutException:
            raise AssertionError(f"{self.driver.current_url} shows:\n{self.text('main')[:2000]}") from None

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.one(selector).text

    def press(self, name, within="body"):
        """Presses the button that says so, to the eye or to a screen reader."""
        def button():
            return next(
                (one for one in self.all(f"{within} button") if name in (one.text, one.get_attribute("aria-label"))
                 and one.is_displayed() and one.is_enabled()), None)
        self.wait(button).click()

    def tab_to(self, is_wanted):
        """Presses Tab until what has the focus is what is wanted. Whatever has it on the way shows that it has."""
        for _ in range(150):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            active = self.driver.switch_to.active_element
            shows = self.driver.execute_script(
                "const style = getComputedStyle(arguments[0]), place = arguments[0].getBoundingClientRect();"
                "return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2"
                " && place.width > 0 && place.bottom > 0 && place.top < innerHeight", active)
            assert shows, f"{active.get_attribute('outerHTML')[:200]} has the focus, and nobody sees it"
            if is_wanted(active):
                return active
        raise AssertionError("Tab doesn't get there")

    def write(self, selector, text):
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def place(self, product, customer, method):
        self.open("/shop")
        self.press(f"Add {product} to the basket")
        self.write("#customer", customer)
        self.one(f"input[value={method}]").click()
        self.press("Place order")
        self.wait(lambda: "?order=" in self.driver.current_url)
        return self.driver.current_url.split("?order=")[1]


@pytest.fixture
def page(driver):
    return Page(driver)


def test_an_order_is_placed_and_its_timeline_completes(page):
    order = page.place("Notebook A5, dotted, 192 pages", "ada", "pm_ok")
    page.wait(lambda: "confirmed" in page.text(".saga"))
    page.wait(lambda: len(page.all(".station.seen")) == 6)
    page.one("a[href^='/timelines/']").click()
    page.wait(lambda: order in page.text("h1"))
    names = ("order", "inventory", "payment", "email", "loyalty", "notification")
    page.wait(lambda: all(name in page.text(".stack > .row.quiet") for name in names))
    assert [tag.text for tag in page.all(".saga .tag")] == ["placed", "reserved", "confirmed"]
    page.wait(lambda: len(page.all(".lines tbody tr")) > 6)
    # A span tells more when it is chosen, and the address leads back to it.
    next(row for row in page.all(".span") if "POST /orders" in row.text).click()
    assert "http.route" in page.text("aside")
    address = page.driver.current_url
    assert "?span=" in address
    page.driver.get(address)
    page.wait(lambda: "http.route" in page.text("aside"))


def test_the_keyboard_is_enough(page):
    page.open("/orders")
    page.one("body").send_keys("/")
    page.wait(lambda: page.driver.switch_to.active_element.get_attribute("type") == "search")
    page.driver.switch_to.active_element.send_keys("ada", Keys.ENTER)
    page.wait(lambda: "search=ada" in page.driver.current_url)
    link = page.wait(lambda: page.one("tbody a"))
    link.send_keys(Keys.ENTER)
    page.wait(lambda: page.all(".span"))
    first = page.one(".span")
    first.send_keys(Keys.ENTER)
    page.wait(lambda: page.one("aside").is_displayed())
    first.send_keys(Keys.ARROW_DOWN)
    assert page.driver.switch_to.active_element == page.all(".span")[1]


def test_an_order_is_placed_by_keyboard_alone(page):
    page.open("/shop")
    mug = "Add Enamel mug, 350 ml to the basket"
    page.wait(lambda: any(one.get_attribute("aria-label") == mug for one in page.all("button")))
    page.tab_to(lambda one: one.get_attribute("aria-label") == mug).send_keys(Keys.ENTER)
    page.tab_to(lambda one: one.get_attribute("id") == "customer").send_keys(Keys.CONTROL + "a")
    page.driver.switch_to.active_element.send_keys("keyboard")
    page.tab_to(lambda one: one.get_attribute("type") == "radio").send_keys(Keys.ARROW_UP)
    assert page.driver.switch_to.active_element.get_attribute("value") == "pm_flaky"
    page.tab_to(lambda one: one.text == "Place order").send_keys(Keys.ENTER)
    page.wait(lambda: "confirmed" in page.text(".saga"))
    page.tab_to(lambda one: "/timelines/" in (one.get_attribute("href") or "")).send_keys(Keys.ENTER)
    page.wait(lambda: "keyboard" in page.text("dl.facts"))
    # What it took: the bank's answer was lost twice.
    page.wait(lambda: any("#3" in row.text for row in page.all(".span")))


def test_orders_are_found_by_order_customer_and_correlation(page):
    order = page.place("Enamel mug, 350 ml", "grace", "pm_declined")
    page.wait(lambda: "cancelled" in page.text(".saga"))
    page.open(f"/timelines/{order}")
    correlation = page.wait(lambda: page.all("dl.facts dd .mono")[0].text)
    for text in (order, "grace", correlation):
        page.open("/orders")
        page.write("input[type=search]", text + Keys.ENTER)
        page.wait(lambda: [row.get_attribute("title") for row in page.all("tbody a")] == [order])
        assert "cancelled" in page.text("tbody")


def test_a_dead_letter_is_mended_and_its_order_settles(page):
    order = os.environ["STUCK_ORDER"]
    page.open("/")
    page.wait(lambda: page.text("#letters") == "1")
    page.open("/dead-letters")
    page.wait(lambda: "inventory-dlq" in page.text("main"))
    assert "quantity" in page.text(".reason")
    page.one("summary").click()
    body = page.one("textarea")
    text = body.get_attribute("value")
    assert order in text and '"two"' in text
    # What isn't a CloudEvent any more is refused with a sentence, and nothing is sent.
    page.write("textarea", "{}")
    page.press("Redrive", ".letter")
    page.wait(lambda: "must be a CloudEvent" in page.text("[role=status].notice, .notice"))
    page.press("Undo changes")
    assert body.get_attribute("value") == text
    page.driver.execute_script("arguments[0].value = arguments[1]", body, text.replace('"two"', "2"))
    page.press("Redrive", ".letter")
    page.wait(lambda: "No dead letters" in page.text("main"))
    page.open(f"/timelines/{order}")
    page.wait(lambda: "confirmed" in page.text(".saga"))


def test_a_group_is_purged_only_after_a_question(page):
    page.open("/dead-letters")
    for queue in ("email", "loyalty"):
        send(queue, "Dear shop")
    page.wait(lambda: len(page.all(".group")) == 2)
    page.press("Purge", "[aria-label^=email-dlq]")
    page.press("Cancel", "dialog")
    page.wait(lambda: not page.all("dialog"))
    page.press("Look again")
    assert len(page.all(".group")) == 2
    for queue in ("email", "loyalty"):
        page.press("Purge", f"[aria-label^={queue}-dlq]")
        page.press("Remove", "dialog")
        page.wait(lambda: not page.all(f"[aria-label^={queue}-dlq]"))
    page.wait(lambda: "No dead letters" in page.text("main"))


def send(queue, body):
    """Puts a message into a queue of the broker, as anybody with an AWS client can."""
    sqs = boto3.client(
        "sqs", endpoint_url=os.environ["BROKER_URL"], region_name="us-east-1",
        aws_access_key_id=os.environ["BROKER_KEY"], aws_secret_access_key=os.environ["BROKER_SECRET"])
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body)


def test_what_looks_like_html_stays_text(page):
    name = "<script>document.title = 'stolen'</script><img src=x onerror=\"document.title='stolen'\">"
    with sqlite3.connect(os.environ["INVENTORY_DATABASE"], timeout=10) as database:
        database.execute("UPDATE products SET name = ? WHERE sku = 'PEN-FOUNTAIN-M'", (name,))
    customer = "<script>alert(1)</script>"
    order = page.place(name, customer, "pm_ok")
    page.wait(lambda: "confirmed" in page.text(".saga"))
    for path in ("/shop", "/orders", f"/timelines/{order}", "/mail"):
        page.open(path)
        wanted = name if path == "/shop" else customer
        if path != "/mail":
            page.wait(lambda: wanted in page.text("main"))
        assert page.driver.title != "stolen"
        assert page.all("main script") == [] and page.all("main img") == []


def test_mail_is_read(page):
    page.open("/mail")
    page.wait(lambda: page.all("tbody button"))
    page.one("tbody button").click()
    page.wait(lambda: page.text("aside pre"))
    assert "delivered" in page.text("aside")


def test_the_policy_forbids_what_an_intruder_would_try(page):
    page.open("/")
    refused = page.driver.execute_script(
        "try { document.body.innerHTML = '<b>x</b>'; return false } catch (error) { return error.name }")
    assert refused == "TypeError"
    page.driver.get_log("browser")


THEMES = ["light", "dark"]
WIDTHS = [400, 1600]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_fits_is_named_and_legible(page, theme, width):
    driver = page.driver
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    try:
        page.open("/orders")
        order = page.wait(lambda: page.one("tbody a").get_attribute("href")).removeprefix(CONSOLE)
        send("email", "Dear shop, " + "I should so much like to have a mug. " * 20)
        for path in VIEWS + [order]:
            page.open(path)
            page.wait(lambda: page.text("h1") and page.text("main").count("\n") > 0)
            if path == order:
                page.wait(lambda: len(page.all(".span")) > 5)
            if path == "/":
                page.wait(lambda: page.all(".node.service"))
            if path == "/dead-letters":
                page.wait(lambda: page.press("Look again") or page.all(".group"))
                page.one("summary").click()
            overflow = driver.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{path} is {overflow} px too wide"
            assert unnamed(driver) == [], path
            assert illegible(driver) == [], path
            save(driver, f"{path.split('/')[1] or 'overview'}-{theme}-{width}")
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def unnamed(driver):
    """Controls without an accessible name, as the browser itself computes it for screen readers."""
    controls = {"button", "link", "textbox", "searchbox", "combobox", "radio", "checkbox", "spinbutton"}
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        node["role"]["value"] for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in controls
        and not node.get("name", {}).get("value", "").strip()]


def illegible(driver):
    """Texts whose contrast is below WCAG 2.2's 4.5 to 1."""
    return driver.execute_script("""
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const known = new Map();
        const rgba = (colour) => {
          if (!known.has(colour)) known.set(colour, measured(colour));
          return known.get(colour);
        };
        const measured = (colour) => {
          canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].map((value, index) => index < 3 ? value : value / 255);
        };
        const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
        const ground = (element) => {
          const layers = [];
          for (let one = element; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
          return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
        };
        const light = (colour) => {
          const [r, g, b] = colour.map((value) => value / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const bad = new Set();
        for (const element of document.querySelectorAll("body *")) {
          const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
          if (!hasText || !element.checkVisibility() || element.closest(":disabled, .skip")) continue;
          const below = ground(element);
          const [one, other] = [light(over(rgba(getComputedStyle(element).color), below)), light(below)];
          const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
          if (contrast < 4.5) bad.add(`${element.className || element.tagName}: ${contrast.toFixed(2)}`);
        }
        return [...bad];
    """)


def save(driver, name):
    """Pictures for whoever wants to look: `SCREENSHOTS` names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        driver.save_screenshot(f"{folder}/{name}.png")
