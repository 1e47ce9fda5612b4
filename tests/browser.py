"""A headless Chromium for tests: what it said on its console, and what it asked for."""

import json
import os
import shutil
import time
from contextlib import contextmanager

import pytest

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
SILENT = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@contextmanager
def chromium(downloads):
    """Start one; skip where there is none, unless ``ACTLAB_BROWSER`` says that it is needed."""
    if not (CHROMIUM and DRIVER):
        why = "no Chromium with its driver here: Debian's chromium and chromium-driver"
        assert not os.environ.get("ACTLAB_BROWSER"), why
        pytest.skip(why)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for one in (*SILENT, "--window-size=1400,1000"):
        options.add_argument(one)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def open_page(driver, path):
    """Open a page of ours and wait until its charts are drawn."""
    driver.get(path.as_uri())
    until(lambda: driver.execute_script("return document.documentElement.dataset.drawn || !window.vegaEmbed"))


def until(condition, seconds=20):
    """Wait for a condition, and return what it came to."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.05)
    return value


def asked_for(driver):
    """List the addresses that pages asked for so far, without those that they hold themselves."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("data:", "blob:"))]
