# SPDX-License-Identifier: MIT
"""browser.py - the report of a grid in a real browser: it loads nothing, says nothing on the
console, every plot is there and inside its frame, in light and dark.

Needs chromium (Debian: chromium) or another browser of that family; skipped by name without one.
    browser.py --keep FOLDER     also leaves the report and its pictures there, to be looked at
"""
import html
import re

from e2e import *

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
BROWSER = next((shutil.which(n) for n in NAMES if shutil.which(n)), None)
KEEP = os.path.abspath(sys.argv.pop(sys.argv.index("--keep") + 1)) if "--keep" in sys.argv else None
if KEEP:
    sys.argv.remove("--keep")

# What a person would look for, asked of the page that the browser has laid out.
PROBE = """<pre id="facts"></pre><script>
const facts = {plots: [], errors: [], colors: {}};
addEventListener('error', e => facts.errors.push(String(e.message)));
for (const svg of document.querySelectorAll('svg.plot')) {
  const box = svg.getBoundingClientRect(), outside = [], empty = [];
  for (const e of svg.querySelectorAll('text,.m,.f')) {
    const r = e.getBoundingClientRect();
    if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 ||
        r.bottom > box.bottom + 1) outside.push(e.textContent.slice(0, 80));
    if (!(r.width > 0 || r.height > 0)) empty.push(e.outerHTML.slice(0, 120));
  }
  const ticks = [...svg.querySelectorAll('.x')].map(e => e.getBoundingClientRect());
  facts.plots.push({title: svg.querySelector('.t').textContent, width: box.width,
    height: box.height, marks: svg.querySelectorAll('.m').length, outside, empty,
    colors: [...new Set([...svg.querySelectorAll('.m')].map(e => getComputedStyle(e).color))],
    meet: ticks.some((t, i) => i && t.left < ticks[i - 1].right)});
}
facts.colors.page = getComputedStyle(document.body).backgroundColor;
facts.colors.text = getComputedStyle(document.querySelector('svg text')).fill;
facts.loaded = performance.getEntriesByType('resource').map(r => r.name);
facts.images = document.images.length;
facts.overflow = document.documentElement.scrollWidth > innerWidth;
facts.title = document.title;
facts.tables = document.querySelectorAll('table').length;
facts.rows = document.querySelector('table').rows.length;
document.getElementById('facts').textContent = JSON.stringify(facts);
</script>"""

GRID = """name: shown
about: "a report <em>with</em> everything in it"
base: {model: tiny.yaml, weights: base.safetensors, epochs: 3, batch_size: 8, threads: 1}
tasks: ["task:./t.yaml", {name: "a <b>second</b> one with a very long name", data: "task:./u.yaml"}]
strategies:
  - {strategy: linear, lr: 1e-2}
  - {strategy: lora, lr: 1e-2, grid: {options.r: [1, 2, 4]}}
  - {strategy: full, label: "full <script>alert(1)</script>", lr: 1e-3}
  - {strategy: full, label: diverges, lr: 1000, optimizer: sgd, weight_decay: 1000}
seeds: [0, 1]
baseline: linear
"""


def chromium(page, *args):
    argv = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--user-data-dir=" + os.path.abspath("profile"), "--window-size=1300,2600",
            "--enable-logging=stderr", "--disable-background-networking", "--no-first-run", *args,
            "file://" + os.path.abspath(page)]
    p = subprocess.run(argv, capture_output=True, timeout=240 * PATIENCE)
    err = p.stderr.decode("utf-8", "replace")
    equal(p.returncode, 0, err[-2000:])
    said = [l for l in err.splitlines() if "CONSOLE" in l]
    equal(said, [], "on the console")
    return p.stdout.decode("utf-8", "replace")


def facts(page, *args):
    text = read(page).decode()
    check("<script" not in text, "the report has a script")
    write("probed.html", text.replace("</body>", PROBE + "</body>"))
    dom = chromium("probed.html", "--dump-dom", *args)
    found = re.search(r'<pre id="facts">(.*?)</pre>', dom, re.S)
    check(found and found.group(1), "the page did not get to its end", dom[-500:])
    return json.loads(html.unescape(found.group(1)))


def shot(page, name, *args):
    chromium(page, "--screenshot=" + os.path.abspath(name), *args)
    check(os.path.getsize(name) > 20000, name, os.path.getsize(name))
    if KEEP:
        os.makedirs(KEEP, exist_ok=True)
        shutil.copy(name, KEEP)


def luminance(color):
    r, g, b = (int(x) for x in re.findall(r"\d+", color)[:3])
    return (2 * r + 5 * g + b) / 8


def report(text):
    if not BROWSER:
        raise Skipped("no browser: install chromium")
    model()
    base()
    for name, label in (("t", "shape"), ("u", "color")):
        write(name + ".yaml", "label: %s\nimage_size: 32\ntrain: 96\nval: 8\ntest: 32\nseed: 5\n" % label)
    write("g.yaml", text)
    sctrun("ablate", "g.yaml", "--output", "out")
    if KEEP:
        os.makedirs(KEEP, exist_ok=True)
        shutil.copy("out/report.html", KEEP)
    return "out/report.html"


def look(f, titles):
    equal((f["errors"], f["loaded"], f["images"], f["overflow"]), ([], [], 0, False))
    equal([p["title"] for p in f["plots"]], titles)
    for p in f["plots"]:
        check(p["width"] > 150 and p["height"] > 150 and p["marks"] > 0, p)
        equal((p["outside"], p["empty"], p["meet"]), ([], [], False), p["title"])


LONG_NAME = "a <b>second</b> one with a very long name"


@test
def everything_is_shown():
    page = report(GRID)
    titles = ["Accuracy over parameters", "Accuracy by task", "t", LONG_NAME]
    light, dark = (facts(page, "--blink-settings=preferredColorScheme=%d" % k) for k in (1, 0))
    for f in (light, dark):
        look(f, titles)
        equal((f["title"], f["rows"]), ("shown", 1 + 6))
        equal(f["tables"], 2, "the table, and that of failures")
        # what failed has no mark; every other row has one, in a colour of its own
        equal([(p["marks"], len(p["colors"])) for p in f["plots"]], [(5, 5), (10, 5), (5, 5), (5, 5)])
        check(abs(luminance(f["colors"]["page"]) - luminance(f["colors"]["text"])) > 120, f["colors"])
    check(luminance(light["colors"]["page"]) > 200 > 60 > luminance(dark["colors"]["page"]),
          light["colors"], dark["colors"])
    shot(page, "light.png", "--blink-settings=preferredColorScheme=1")
    shot(page, "dark.png", "--blink-settings=preferredColorScheme=0")


@test
def shots_and_targets():
    page = report(GRID + "few_shot: {shots: [1, 2, 4]}\ndomains: [{name: far, data: 'task:./u.yaml',"
                  " unknown_classes: skip}]\n")
    # the classes of u are colours: no target for t's, so those cells fail, and the page says so
    f = facts(page)
    check(f["plots"][1]["title"] == "Few-shot: mean over tasks", f["plots"])
    write("v.yaml", read("t.yaml").decode().replace("seed: 5", "seed: 6\nnoise: 60"))
    page = report((GRID + "few_shot: {shots: [1, 2, 4]}\ndomains: [{name: noisy, data: "
                   "'task:./v.yaml'}]\n").replace(', {name: "a', ']\nabout: "a').replace(
                       'long name", data: "task:./u.yaml"}]', 'long name"').replace(
                           'about: "a report', '# "'))
    f = facts(page)
    look(f, ["Accuracy over parameters", "Few-shot: mean over tasks", "Accuracy by task",
             "Accuracy by target set", "t, 1 shot", "t, 2 shots", "t, 4 shots"])
    # five rows: three marks each and the lines between them; two sets
    equal([p["marks"] for p in f["plots"]], [5, 5 * (3 + 2), 15, 10, 5, 5, 5])
    shot(page, "shots.png")


@test
def many_rows_and_columns():
    """As large as a comparison on VTAB-1k: nothing meets, nothing leaves its frame."""
    page = report("""name: large
base: {model: tiny.yaml, weights: base.safetensors, epochs: 1, batch_size: 8, threads: 1, max_steps: 6,
  test_limit: 8}
tasks: [%s]
strategies: [linear, {strategy: lora, grid: {options.r: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]}}]
""" % ", ".join("{name: task_number_%d, data: 'task:./t.yaml', group: g%d}" % (i, i % 3)
                for i in range(19)))
    f = facts(page)
    look(f, ["Accuracy over parameters", "Accuracy by task"] + ["task_number_%d" % i for i in range(19)])
    equal(f["plots"][1]["marks"], 19 * 14)
    shot(page, "large.png")


main()
