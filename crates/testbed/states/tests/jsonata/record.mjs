// Records what the reference implementation makes of every expression of the state machine, and of the edges.
//
//   npm install jsonata@2.0.6 && node record.mjs > cases.json
//
// 2.0.6 is the version that Step Functions documents.  Of the inputs of one expression those are kept that lead to
// different results.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cwd } from "node:process";
import { fileURLToPath } from "node:url";

const jsonata = createRequire(join(cwd(), "any.js"))("jsonata");
const root = join(dirname(fileURLToPath(import.meta.url)), "../../../../..");
const read = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));

const context = {
  Execution: {
    Id: "arn:aws:states:eu-west-1:123456789012:execution:tidegate:r1", Name: "r1", RedriveCount: 0,
    StartTime: "2026-11-23T10:00:00.000Z", Input: read("events/release/push-build-tag.json").input,
  },
  StateMachine: { Id: "arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate", Name: "tidegate" },
  State: { Name: "Judge", EnteredTime: "2026-11-23T10:00:05.000Z", RetryCount: 0 },
  Task: { Token: "AQCEAAAAKgAAAAMAAAAA" },
  Map: { Item: { Index: 3, Value: 3 } },
};
const item = { release: "r1", execution: context.Execution.Id, machine: context.StateMachine.Id, wave: 0, move: 3 };

// Each world is what an expression can see: `states`, and the variables.
const answered = (file, variables, input = item) => ({
  states: { context, input, result: { ExecutedVersion: "$LATEST", Payload: read(`events/${file}.out.json`), StatusCode: 200 } },
  ...variables,
});
const parent = (next, more) => ({
  next, outcome: next, because: "all is well", environment: "dev", approvalMinutes: 1440, waitSeconds: 20,
  waves: [3, 1], repositories: 2, concurrency: 5, pauseSeconds: 30, reach: false, reachLooks: {}, wave: 0, step: "move", ...more,
});
const failed = (Error, Cause, variables, input = item) => ({
  states: { context, input, errorOutput: Cause === undefined ? { Error } : { Error, Cause } },
  ...variables,
});
const wide = "ä€😀".repeat(2000);
const worlds = {
  opened: answered("release/request-minimal", parent("TakeLeases"), {}),
  asking: answered("release/request-promotion-that-asks", parent("AskApproval", { wave: 1 }), {}),
  refused: answered("release/refused-frozen", parent("Refused", { waves: [1], because: "" }), {}),
  shifting: answered("release/request-minimal", parent("Shift", { step: "shift" }), { ...item, step: "shift" }),
  judged: answered("release/request-plan", parent("Bake", { wave: 1, reach: true }), {}),
  one: answered("release/ignored-own-tag", parent("Wave", { waves: [1], repositories: 1, reach: true }), {}),
  none: answered("release/ignored-untagged", parent("Stop", { waves: [0], repositories: 0, concurrency: 0 }), {}),
  look: answered("health-test/pending", { verdict: "Pending", pause: 5, looks: { first: 1 }, superseded: false }),
  healthy: answered("health-test/good", { verdict: "Healthy", pause: 0, looks: {}, started: true, more: true }),
  reached: answered("health-test/reach-unreachable", { next: "Reached", reachLooks: { a: [1] }, needed: true }),
  registered: answered("deploy/register", { superseded: true, needed: false, startAt: "2026-11-23T10:00:01Z" }),
  slot: answered("retag/reserve", { startAt: "2026-11-23T10:00:01Z" }),
  undoing: answered("rollback/good", { started: true, looks: {} }),
  gate: answered("deploy/continue", { look: true }),
  decided: answered("deploy/answered-already", { look: false }),
  overtaken: answered("deploy/superseded", { outcome: "Superseded" }),
  approved: { states: { context, input: {}, result: { next: "Approved", because: "alice said yes" } }, next: "Approved" },
  error: failed("Unavailable", '{"errorMessage":"ECS did not answer","errorType":"Unavailable"}', parent("Wave")),
  silent: failed("States.Timeout", undefined, parent("Undo")),
  long: failed("Defect", wide, parent("Answered", { because: wide })),
  caught: { states: { context, input: { ...item, repository: 1, error: "Denied", cause: "no" } }, outcome: "Expired" },
  left: { states: { context, input: { ...item, ran: true } } },
  nothing: { states: { context: {}, input: null } },
};
for (const outcome of ["Deployed", "RolledBack", "Refused", "Superseded", "Rejected", "Answered", "Changed",
  "NextWave", "Shift", "Planned", "Waiting", "Ignored", "DarkHealthy", "DarkUnhealthy"]) {
  worlds[outcome] = { states: { context, input: {} }, next: outcome, outcome, verdict: outcome };
}

const edge = {
  states: { context, input: { a: { b: [1, 2, 3] }, none: null, empty: "", zero: 0, text: "12", float: 1.5 }, result: { Payload: {} } },
  texts: ["1", "-1", "1.5", "007", "1e3", "1E-2", "", " 1", "abc", "0x1F", "NaN", "1.", "0b101", "0o17", "0x", "0x+1"],
  wide: "aä€😀b", one: [7], empty: [], nested: [[1, 2], [3]], objects: [{ a: 1 }, { a: [2, 3] }, { b: 4 }, 5],
  twice: [{ a: [{ c: 1 }, { c: 2 }] }, { a: { c: 3 } }], single: [{ a: [9] }], list: [10, 20, 30], n: 2, yes: true, no: false,
};
const edges = [
  "$missing", "$missing.a.b", "$states.input.none", "$states.input.none.a", "$states.input.text.a", "$states.input.a.b",
  "'' & $missing", "'' & $states.input.none", "'a' & 1 & true & $states.input.float", "'x' & $list", "'x' & $states.input.a",
  "0.1 * 3 & ''", "1 - 0.9 & ''", "100000 * 100000 * 100000 * 100000 * 100000 & ''", "0.001 * 0.0001 & ''",
  "$missing = $missing", "$states.input.none = null", "1 = 1.0", "'1' = 1", "$list = [10, 20, 30]", "$states.input.a = {'b': [1, 2, 3]}",
  "$missing = 'a'", "true = 1", "$missing > 1", "1 > $missing", "2 > 1", "'b' > 'a'", "'a' > 1", "null > 1", "true > false", "'😀' > '￿'",
  "$missing - 1", "1 - $missing", "'2' - 1", "1 - '2'", "2 * 3 - 4 * 5", "2 - 1 - 1", "null * 2", "[1] * 2",
  "$yes and $missing", "$missing and $yes", "'a' and 1", "$empty and true", "$one and {}", "null and true", "$no and $n - 'a'",
  "$yes ? 'a' : 'b'", "$missing ? 'a' : 'b'", "$no ? 1 : $yes ? 2 : 3", "'' ? 1 : 2", "[] ? 1 : 2", "[0] ? 1 : 2", "[0, 1] ? 1 : 2", "{} ? 1 : 2", "0 ? 1 : 2",
  "[0..3]", "[0..0]", "[0..(0 - 1)]", "[0..$missing]", "[$missing..1]", "[0..'1']", "['0'..1]", "[0..1.5]", "[1..3, 7]", "[0..10000000]",
  "[]", "[1]", "[$missing]", "[$missing, 1, null]", "[$list, 4]", "[[1, 2], 3]", "[[]]", "[$nested, [4]]", "[$yes ? 1 : 2, 3]", "{}", "{'a': $missing}",
  "{'a': 1, 'b': {'c': [1]}}", "$list[0]", "$list[2]", "$list[3]", "$list[$n]", "$list[0.9]", "$list[$missing]", "$list[$n - 3]", "$list['a']", "$list[$yes]",
  "$list[$no]", "$list[[0, 2]]", "$one[0]", "$empty[0]", "$n[0]", "$n[1]", "$missing[0]", "$nested[0]", "$nested[1]", "$nested[0 * 1]", "$objects.a", "$objects.b",
  "$objects.z", "$twice.a.c", "$single.a", "$one.a", "$nested.a",
  "$merge([])", "$merge([{'a': 1}, {'a': 2, 'b': 3}])", "$merge([{'a': 1}, $missing])", "$merge($missing)", "$merge({'a': 1})", "$merge('a')", "$merge([1])", "$merge([{'a': 1}, null])", "$merge(null)", "$merge(1)",
  "$substring($wide, 0, 3)", "$substring($wide, 2)", "$substring($wide, 3, 1)", "$substring($wide, 0, 0)", "$substring($wide, 0, 99)", "$substring($wide, 9, 1)", "$substring($wide, 0, 0 - 1)",
  "$substring($wide, 0 - 2)", "$substring($wide, 0 - 2, 1)", "$substring($wide, 0 - 9, 2)", "$substring($missing, 0, 1)", "$substring($wide, $missing)", "$substring($wide, $missing, 2)", "$substring($wide, 1, $missing)",
  "$substring(1, 0)", "$substring(1, 0, 2)", "$substring(null, 0)", "$substring($wide, 'a')", "$substring('', 0, 5)",
  "$string($missing)", "$string(null)", "$string(1)", "$string(1.50)", "$string(true)", "$string('a')", "$string($list)", "$string({'a': [1, 'b', null]})", "$string(0.1 * 3)",
  "$string([0.1 * 3])", "$number($missing)", "$number(null)", "$number(true)", "$number(false)", "$number(5)", "$number([1])", "$number({})", "$number(' ')",
  "$exists($missing)", "$exists(null)", "$exists('')", "$exists($empty)", "$exists($empty[0])", "$exists($states.input.a.c)", "$exists([])",
  "'a\\n\\\"b'", "\"it's\"", "'\"'", "null", "true", "1.25", "  1  ", "($n)", "($n - 1) * 2", "$n - 1 * 2", "1 & 2 - 1", "1 = 1 and 2 = 2", "1 & 2 = '12'", "$n = 2 ? 'two' : 'other'",
  ...[...Array(16).keys()].map((n) => `$number($texts[${n}])`),
];

const outcome = async (expression, world) => {
  try {
    const value = await jsonata(expression).evaluate(undefined, world);
    return value === undefined ? { nothing: true } : { value };
  } catch (error) {
    return { error: error.code };
  }
};

const expressions = new Set();
const walk = (value) => {
  if (typeof value === "string" && value.startsWith("{%")) expressions.add(value.slice(2, -2).trim());
  else if (value && typeof value === "object") Object.values(value).forEach(walk);
};
walk(read("statemachine/release.asl.json"));

const cases = [];
const record = async (expression, names) => {
  const seen = new Set();
  for (const name of names) {
    const result = await outcome(expression, { ...worlds, edge }[name]);
    const text = JSON.stringify(result);
    if (!seen.has(text)) cases.push(JSON.stringify([expression, name, result]));
    seen.add(text);
  }
};
for (const expression of [...expressions].sort()) await record(expression, Object.keys(worlds));
for (const expression of edges) await record(expression, ["edge"]);
const all = Object.entries({ ...worlds, edge }).map(([name, world]) => `${JSON.stringify(name)}: ${JSON.stringify(world)}`);
console.log(`{"worlds": {\n${all.join(",\n")}\n},\n"cases": [\n${cases.join(",\n")}\n]}`);
