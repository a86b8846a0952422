#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# testlog.py - what tools/test.sh knows of a run: turns Meson's testlog.json into lines
# "verdict TAB count TAB group TAB name TAB reason", and such lines into the final report.
# A program that holds many cases says how many; each of them counts. Whatever it says, a
# program that ends badly is at least one failure.
import json
import re
import sys

CHECK = re.compile(r'\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)')
TOTAL = re.compile(r'^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', re.M)
LINE = re.compile(r'^(ok|FAIL) ', re.M)
SKIP = re.compile(r'^(.*\bskipped: .*)$', re.M)


def counts(text):
    """(passed, failed, skipped) that a program reports of itself, or None."""
    check = [tuple(map(int, m)) for m in CHECK.findall(text)]
    if check:
        failed = sum(f + e for _, f, e in check)
        return sum(n for n, _, _ in check) - failed, failed, 0
    total = TOTAL.findall(text)
    if total:
        passed, failed, skipped = total[-1]
        return int(passed), int(failed), int(skipped or 0)
    lines = LINE.findall(text)
    return (lines.count('ok'), lines.count('FAIL'), 0) if lines else None


def tail(text, lines):
    kept = [line for line in text.splitlines() if line.strip()]
    return kept[-lines:]


def rows_of(run):
    out, err = run.get('stdout') or '', run.get('stderr') or ''
    head, sep, name = run['name'].partition(' / ')
    group = head.split(':')[-1].split('+')[0] if sep else 'test'
    name = name if sep else head
    if run['result'] == 'SKIP':
        why = tail(err, 1) or tail(out, 1) or ['no reason given']
        return [('SKIP', 1, group, name, why[0].strip())]
    passed, failed, skipped = counts(out) or (1, 0, 0)
    if run['result'] not in ('OK', 'EXPECTEDFAIL'):
        why = '%s, exit status %s' % (run['result'], run.get('returncode'))
        failed = max(failed, 1)
        if not counts(out):
            passed = 0
        for line in tail(out, 25) + tail(err, 25):
            print('    | ' + line)
        return [('PASS', passed, group, name, ''), ('FAIL', failed, group, name, why),
                ('SKIP', skipped, group, name, 'see its log')]
    rows = [('PASS', passed, group, name, '')]
    if failed:
        rows.append(('FAIL', failed, group, name, 'its output says so, its exit status does not'))
    named = SKIP.findall(out)
    for line in named[:skipped]:
        rows.append(('SKIP', 1, group, name, ' '.join(line.split())))
    if skipped > len(named):
        rows.append(('SKIP', skipped - len(named), group, name, 'see its log'))
    return rows


def convert(log, label, results):
    """Appends one run of meson test; prints a line per group."""
    with open(log, encoding='utf-8') as f:
        runs = [json.loads(line) for line in f if line.strip()]
    groups = {}
    with open(results, 'a', encoding='utf-8') as f:
        for run in runs:
            rows = rows_of(run)
            sums = groups.setdefault(label + rows[0][2],
                                     {'PASS': 0, 'FAIL': 0, 'SKIP': 0, 's': 0.0})
            sums['s'] += run['duration']
            for verdict, n, group, name, why in rows:
                if n:
                    f.write('\t'.join((verdict, str(n), label + group, name, why)) + '\n')
                    sums[verdict] += n
    for group in sorted(groups):
        g = groups[group]
        print('  %-18s %5d passed %4d failed %4d skipped   %6.1f s'
              % (group, g['PASS'], g['FAIL'], g['SKIP'], g['s']))
    return 0 if runs else 1


def report(results):
    with open(results, encoding='utf-8') as f:
        rows = [line.rstrip('\n').split('\t') for line in f]
    sums = {'PASS': 0, 'FAIL': 0, 'SKIP': 0}
    for row in rows:
        sums[row[0]] += int(row[1])
    for verdict, word in (('SKIP', 'skipped'), ('FAIL', 'FAILED')):
        for _, n, group, name, why in (r for r in rows if r[0] == verdict):
            print('%s: %s / %s%s: %s' % (word, group, name, ' (%s)' % n if n != '1' else '', why))
    print('%d passed, %d failed, %d skipped' % (sums['PASS'], sums['FAIL'], sums['SKIP']))
    return 1 if sums['FAIL'] or not sums['PASS'] else 0


def main(argv):
    if len(argv) == 5 and argv[1] == 'convert':
        return convert(*argv[2:])
    if len(argv) == 3 and argv[1] == 'report':
        return report(argv[2])
    sys.stderr.write('usage: testlog.py convert TESTLOG.json LABEL RESULTS | report RESULTS\n')
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv))
