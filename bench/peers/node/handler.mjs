// Plans what a release of an environment could do: the reads of the Rust function, with the SDK of AWS.
//
// Clients are made while the function starts, where Lambda gives it more CPU; a revision never changes, so it is kept.

import { BatchGetItemCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  paginateListServices,
  paginateListTasks,
} from "@aws-sdk/client-ecs";
import { SSMClient, paginateGetParametersByPath } from "@aws-sdk/client-ssm";

const TABLE = process.env.LEDGER_TABLE;
const PATH = "/tidegate/environments";
const PER_CALL = 10;

const config = { maxAttempts: 3, userAgentAppId: "tidegate-release" };
const dynamodb = new DynamoDBClient(config);
const ssm = new SSMClient(config);
const ecs = new ECSClient(config);
const revisions = new Map();

/** Answers a call of the state machine. */
export async function handle(event) {
  const { environment: name, mode } = event.input;
  if (event.do !== "open" || mode !== "plan") throw new Error("this handler makes plans, and nothing else");
  const [opened] = await rows([[`release#${event.release}`, "head"]]);
  if (opened) throw new Error("this release was opened before");
  const { cluster } = (await environments())[name];
  const services = [];
  for (const service of await described(cluster)) services.push(await planned(name, cluster, service));
  const free = services.filter((each) => each.blocked === null).length;
  return {
    next: "Planned",
    outcome: "Planned",
    environment: name,
    because: `${free} of ${services.length} service${services.length === 1 ? "" : "s"} can be deployed`,
    approvalMinutes: 0,
    pauseSeconds: 0,
    plan: [],
    services,
  };
}

/** Some rows of the ledger. */
async function rows(keys) {
  const Keys = keys.map(([pk, sk]) => ({ pk: { S: pk }, sk: { S: sk } }));
  const found = [];
  for (let asked = { [TABLE]: { Keys, ConsistentRead: true } }; Object.keys(asked).length > 0; ) {
    const answer = await dynamodb.send(new BatchGetItemCommand({ RequestItems: asked }));
    found.push(...(answer.Responses?.[TABLE] ?? []));
    asked = answer.UnprocessedKeys ?? {};
  }
  return found;
}

/** The documents of all environments. */
async function environments() {
  const found = {};
  for await (const page of paginateGetParametersByPath({ client: ssm }, { Path: PATH })) {
    for (const { Name, Value } of page.Parameters) found[Name.split("/").at(-1)] = JSON.parse(Value);
  }
  return found;
}

/** The services of a cluster. */
async function described(cluster) {
  const arns = [];
  for await (const page of paginateListServices({ client: ecs, pageSize: 100 }, { cluster })) {
    arns.push(...page.serviceArns);
  }
  const found = [];
  for (let first = 0; first < arns.length; first += PER_CALL) {
    const services = arns.slice(first, first + PER_CALL);
    const answer = await ecs.send(new DescribeServicesCommand({ cluster, services }));
    found.push(...answer.services.filter((service) => service.status === "ACTIVE"));
  }
  await readRevisions(found.map((service) => primary(service).taskDefinition));
  return found;
}

/** Reads the revisions that are not known, from the ledger and what it lacks from ECS. */
async function readRevisions(arns) {
  const unknown = () => [...new Set(arns)].filter((arn) => !revisions.has(arn)).sort();
  if (unknown().length === 0) return;
  for (const kept of await rows(unknown().map((arn) => [`revision#${arn}`, "json"]))) {
    revisions.set(kept.pk.S.slice("revision#".length), JSON.parse(kept.json.S));
  }
  for (const arn of unknown()) {
    const answer = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: arn, include: ["TAGS"] }));
    revisions.set(arn, answer.taskDefinition);
  }
}

/** What a plan says of a service. */
async function planned(environment, cluster, service) {
  const name = service.serviceName;
  await rows([[`env#${environment}`, `service#${name}`]]);
  const running = await digests(cluster, name, primary(service).taskDefinition);
  const [{ image }] = revisions.get(primary(service).taskDefinition).containerDefinitions;
  const repository = image.slice(image.indexOf("/") + 1).split("@")[0];
  return { service: name, repository, blocked: blocker(service, running) };
}

/** What the running tasks of a revision run. */
async function digests(cluster, serviceName, revision) {
  const arns = [];
  for await (const page of paginateListTasks({ client: ecs }, { cluster, serviceName, desiredStatus: "RUNNING" })) {
    arns.push(...page.taskArns);
  }
  const tasks = arns.length === 0 ? [] : (await ecs.send(new DescribeTasksCommand({ cluster, tasks: arns }))).tasks;
  const ofIt = tasks.filter((task) => task.taskDefinitionArn === revision);
  return new Set(ofIt.flatMap((task) => task.containers.map((container) => container.imageDigest)));
}

/** What is in the way of a service. */
function blocker(service, running) {
  const controller = service.deploymentController?.type ?? "ECS";
  if (controller !== "ECS") return `its deployment controller is ${controller}: expected ECS`;
  if (service.desiredCount === 0) return "its desired count is 0: no task would run the image";
  if (service.deployments.length > 1 || primary(service).rolloutState !== "COMPLETED") {
    return `a rollout is in progress (${primary(service).id})`;
  }
  if (running.size !== 1 || running.has(undefined)) {
    return "no known good version to return to: its running tasks are not all on one digest";
  }
  return null;
}

/** The deployment that a service is steering to. */
function primary(service) {
  return service.deployments.find((each) => each.status === "PRIMARY");
}
