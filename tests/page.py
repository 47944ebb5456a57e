"""page.py - learn.html in headless Chromium, by the WebDriver protocol; page.sh calls it.

    python3 tests/page.py /path/of/learn.html [FOLDER for screenshots]
"""
import base64, json, os, socket, subprocess, sys, time, urllib.request

PAGE, FOLDER = "file://" + sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    PORT = s.getsockname()[1]


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data, method=method,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["value"]


def check(what, holds):
    print(f"  {'ok      ' if holds else 'FAILED  '} {what}", flush=True)


def run(script):
    return call("POST", session + "/execute/sync", {"script": "return " + script, "args": []})


def until(script, seconds=90):
    """Waits for a condition in the page; False if it does not come."""
    end = time.time() + seconds
    while time.time() < end:
        if run(script):
            return True
        time.sleep(0.05)
    return False


def load(query="", width=1200, height=900):
    """Opens the page in a window whose inside has the given size, and waits until it is ready."""
    call("POST", session + "/goog/cdp/execute", {
        "cmd": "Emulation.setDeviceMetricsOverride",
        "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})
    call("POST", session + "/url", {"url": PAGE + query})
    return until("document.body.dataset.ready") and until(
        "!document.getElementById('verdict').textContent.startsWith('checking')")


def keys(text):
    actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
    call("POST", session + "/actions", {"actions": [
        {"type": "key", "id": "keyboard", "actions": actions}]})


def screenshot(name):
    if not FOLDER:
        return
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, name + ".png"), "wb") as file:
        file.write(base64.b64decode(call("GET", session + "/screenshot")))


def colours(canvas, x, y, width, height):
    """How many different colours a part of a canvas shows."""
    return run("new Set(new Uint32Array(document.getElementById('%s').getContext('2d')"
               ".getImageData(%d, %d, %d, %d).data.buffer)).size" % (canvas, x, y, width, height))


def body(name):
    return run(f"document.body.dataset.{name} || ''")


def text(name):
    return run(f"document.getElementById('{name}').textContent")


def test_training():
    check("it starts", load() and body("ready") == "yes")
    before = text("now")
    run("(document.getElementById('pace').value = '0', "
        "document.getElementById('pace').dispatchEvent(new Event('change')))")
    keys("p")
    check("p trains, and stops at 20,000", until("document.body.dataset.steps === '20000'"))
    check("the published weights: " + body("hash"), body("hash") == "3a44888777b24d17")
    check("and it says so", "The same as" in text("bits-caption"))
    check(f"the loss has fallen: {before}, {text('now')}",
          float(text("now").split()[1]) < 1e-4 < float(before.split()[1]))
    check("the chain is drawn", colours("chain", 100, 150, 600, 200) > 100)
    check("the loss is drawn", colours("loss", 100, 10, 600, 150) > 20)
    check("the address keeps the step", "step=20000" in run("location.href"))
    run("(document.getElementById('time').value = 20, "
        "document.getElementById('time').dispatchEvent(new Event('input')))")
    check("it goes back in time", 0 < run("done") < 20000)
    keys("p")
    check("and on from there to the same bits",
          until("done === 20000") and body("hash") == "3a44888777b24d17")
    keys("r")
    check("r rewinds", run("done") == 0)
    keys("s")
    check("s takes one step", run("done") == 1)


def test_settings():
    load("?feed=2&step=20000")
    check("forced: the published weights: " + body("hash"), body("hash") == "fd0c0c6f0f40df5d")
    load("?lesson=8&feed=2&step=20000")
    free, forced = run("[marks[marks.length - 1].free, marks[marks.length - 1].forced]")
    check(f"sizes that count down, learned forced: {free:.1e} free running, {forced:.1e} forced",
          free > 10 * forced)
    load("?rate=1&wait=10&step=3000")
    first = run("marks[marks.length - 1].free")
    load("?rate=1&wait=10&clip=0.05&step=3000")
    check(f"clipping changes what a rate of 1 does: {first}, {run('marks[marks.length - 1].free')}",
          first != run("marks[marks.length - 1].free"))
    load("?step=20000&more=1")
    check("one packet too many: the error jumps", run("seen[6].error > 100 * seen[5].error"))
    load("?H=nan&rate=-3&lesson=99&step=-1&ask=1e9&broken=77&clip=x&theme=%3Cb%3E")
    check("a bad address does no harm", body("ready") == "yes" and run("state.H") == 16)


def test_check():
    for step in (0, 2000, 20000):
        load(f"?step={step}")
        check(f"whole, after {step} steps: {body('worst')}", float(body("worst")) < 1e-6)
        for broken in range(1, 8):
            run("document.querySelectorAll('[name=broken]')[%d].click()" % broken)
            until("document.body.dataset.worst")
            check(f"derivative {broken} broken after {step} steps: found, {body('worst')}",
                  float(body("worst")) > 1e-3)


def test_lessons():
    figures = {1: "chain", 2: "loss", 3: "check", 5: "chain loss", 7: "chain loss", 10: "bits loss"}
    for lesson, want in figures.items():
        load(f"?lesson={lesson}&step=100")
        shown = run("['chain', 'loss', 'check', 'bits'].filter("
                    "f => !document.getElementById(f + '-figure').hidden)")
        check(f"lesson {lesson} shows {want}", sorted(shown) == sorted(want.split()))
    load("?lesson=3")
    check("without a chain no control of it",
          run("document.getElementById('ask').offsetParent === null"))
    load("?lesson=7&H=8&ask=5")
    check("settings come from the address", run(
        "[w.hidden(), seen.length, document.getElementById('H').value].join()") == "8,10,8")


def test_keyboard_and_words():
    load()
    run("document.getElementById('chain').focus()")
    keys(["\ue014", "\ue014", "\ue015"])  # right, right, down
    check("arrows move the cursor: " + text("readout")[:60],
          "unit 1:" in text("readout") and "step 0," in text("readout"))
    check("every control has a name", run(
        "[...document.querySelectorAll('input, select, button, canvas')].every(e => "
        "e.labels && e.labels.length || e.textContent.trim() || e.getAttribute('aria-label'))"))
    check("focus is seen",
          run("getComputedStyle(document.getElementById('chain')).outlineStyle") == "solid")
    run("document.getElementById('numbers').open = true")
    check("the picture is a table, too",
          until("document.querySelectorAll('#numbers tr').length === 9"))


def test_looks():
    load("?step=20000", 1200, 2000)
    screenshot("wide")
    load("?step=3000&theme=dark&more=1&broken=5", 1200, 2000)
    check("dark is dark",
          run("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)")
    screenshot("dark")
    load("?step=20000&wait=3", 400, 3000)
    check("nothing is wider than a narrow window", run(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
    screenshot("narrow")
    load("?lesson=5&wait=10&step=2000", 1200, 1300)
    screenshot("lesson5")
    load("?lesson=7&H=64&step=300", 1200, 1300)
    screenshot("lesson7")


with subprocess.Popen(["chromedriver", f"--port={PORT}"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL) as driver:
    try:
        for attempt in range(100):
            try:
                if call("GET", "/status")["ready"]:
                    break
            except OSError:
                time.sleep(0.1)
        session = "/session/" + call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": ["--headless", "--no-sandbox", "--disable-gpu"]},
            "timeouts": {"script": 60000}}}})["sessionId"]
        try:
            for test in (test_training, test_settings, test_check, test_lessons,
                         test_keyboard_and_words, test_looks):
                test()
        finally:
            call("DELETE", session)
        print("done")
    finally:
        driver.terminate()
