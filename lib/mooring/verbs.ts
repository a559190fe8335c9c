/**
 * A kind as a CNI plugin: what each command means, once for all. A process mostly serves one call: each loads what it
 * needs.
 */
import { NetmoorError, errorText } from '../base/errors.ts';
import { delegateCheck, delegateDel, delegateGc, delegateStatus } from '../cni/delegate.ts';
import { DelegateError } from '../cni/errors.ts';
import { isJsonObject } from '../cni/json.ts';
import type { Json } from '../cni/json.ts';
import type { AttachedContext, Context, Plugin } from '../cni/plugin.ts';
import { requireNetns } from '../cni/plugin.ts';
import { mergeResults } from '../cni/result.ts';
import type { CniResult } from '../cni/result.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import { detachTogether, detachUnknown, teardownError } from './detach.ts';
import { hostOf, withHost } from './host.ts';
import type { Host } from './host.ts';
import { DHCP_IPAM, dataDirOf, ipamType } from './ipam-type.ts';
import type { Kind } from './kind.ts';
import { understand } from './records.ts';
import { askedOf, keyOf, surroundingsOf } from './request.ts';
import { checkThroughEngine, probeThroughEngine } from './dhcp.ts';
import { collectThroughEngine, engineAt, releaseThroughEngine } from './through-engine.ts';
import type { EngineCall } from './through-engine.ts';
import { whyElsewhere } from './vantage.ts';

async function onHost<T>(context: Context, work: (host: Host) => T | Promise<T>): Promise<T> {
  return withHost(dataDirOf(context.config.ipam), context.world, surroundingsOf(context), work);
}

function delegatedType(kind: Kind, { config }: Context): string | undefined {
  const choice = ipamType(config.ipam);
  if (choice.kind !== 'delegated') return undefined;
  return choice.type === DHCP_IPAM && kind.asksEngine ? undefined : choice.type;
}

/** `args.cni` may say anything (CONVENTIONS.md), but ports come by their capability alone: these go nowhere. */
function noteLostPorts({ config, request, note }: Context): void {
  const { args } = config.raw;
  const cni = isJsonObject(args) ? args['cni'] : undefined;
  const lost = [
    isJsonObject(cni) && isAsked(cni['portMappings']) ? ['args.cni.portMappings'] : [],
    [...request.args.keys()].filter((key) => /^port_?mappings?$/i.test(key)).map((key) => `CNI_ARGS ${key}`),
  ].flat();
  if (lost.length === 0 || config.runtimeConfig.portMappings.length > 0) return;
  note(
    `network ${config.name}: the ports in ${lost.join(' and ')} are NOT published: a runtime hands ports over by the ` +
      'capability portMappings, which the configuration has to declare: "capabilities": { "portMappings": true }',
  );
}

function isAsked(ports: Json | undefined): boolean {
  return Array.isArray(ports) ? ports.length > 0 : ports !== undefined;
}

async function add(kind: Kind, context: AttachedContext): Promise<CniResult> {
  const asked = await askedOf(kind, context);
  noteLostPorts(context);
  const { attach } = await import('./attach.ts');
  const result = await onHost(context, (host) => attach(kind, host, asked));
  const { prevResult } = context.config;
  return prevResult === undefined ? result : mergeResults(prevResult, result);
}

function engineFor(context: Context): EngineCall {
  return { ...context, ...engineAt(context.config.ipam) };
}

/**
 * Without a record a delegate may still hold something. One that is not installed holds nothing: DEL has to end some
 * time.
 */
function releaseUnknown(kind: Kind, context: Context): void {
  if (kind.asksEngine) releaseThroughEngine(keyOf(context), engineFor(context));
  const type = delegatedType(kind, context);
  if (type === undefined) return;
  try {
    delegateDel(type, context);
  } catch (error) {
    if (!(error instanceof NetmoorError) || error instanceof DelegateError) throw error;
    context.note(`${error.message}: ${error.details}`);
  }
}

interface Found {
  readonly host: Host;
  readonly record: AttachmentRecord;
}

/** The record, wherever it is: DEL need not know the `dataDir` of the ADD, which may have changed since another ADD. */
function findRecords(host: Host, key: AttachmentKey): Found[] {
  const record = host.store.read((tx) => tx.attachment(key));
  return [...(record === undefined ? [] : [{ host, record }]), ...findElsewhere(host, key)];
}

/** The records of the key in the host's other stores. */
function findElsewhere(host: Host, key: AttachmentKey): Found[] {
  return host.others.flatMap((other) => {
    try {
      const record = other.store.read((tx) => tx.attachment(key));
      return record === undefined
        ? []
        : [{ host: hostOf(host, other, host.world, host.surroundings), record }];
    } catch (error) {
      if (!(error instanceof NetmoorError)) throw error;
      host.surroundings.note(`the lease store in ${other.dir} was not asked: ${error.message}`);
      return [];
    }
  });
}

/** From the record alone; what no store knows is asked of the delegate, and swept by its name. */
async function del(kind: Kind, context: AttachedContext): Promise<void> {
  await onHost(context, async (host) => {
    const key = keyOf(context);
    const all = findRecords(host, key);
    // What another plugin of a chain has on record under this key is that one's to take down.
    for (const found of all.filter(({ record }) => record.plugin === kind.name)) {
      const error = teardownError(key, await detachTogether(kind, found.host, found.record));
      if (error) throw error;
    }
    if (all.length > 0) return;
    releaseUnknown(kind, context);
    detachUnknown(kind, host, key);
  });
}

async function check(kind: Kind, context: AttachedContext): Promise<void> {
  const asked = await askedOf(kind, context);
  const { prevResult } = context.config;
  if (prevResult === undefined) {
    throw new NetmoorError(
      'bad-config',
      'CHECK needs the result of ADD as prevResult',
      'the runtime passes it; cniVersion must be 0.4.0 or later',
    );
  }
  const type = delegatedType(kind, context);
  if (type !== undefined) delegateCheck(type, context);
  const told = prevResult.interfaces.find(({ name, sandbox }) => name === context.request.ifname && sandbox);
  const { verifyLeases } = await import('./verify.ts');
  await onHost(context, async (host) => {
    const key = keyOf(context);
    const [found] = findRecords(host, key);
    if (found?.record.plugin !== kind.name) {
      throw new NetmoorError(
        'unknown-container',
        `nothing is on record for ${formatKey(key)}`,
        'it was detached, or attached by another plugin or store',
      );
    }
    const { dhcp } = asked.config;
    if (dhcp && found.record.dhcp) checkThroughEngine(dhcp, context);
    const elsewhere = whyElsewhere(found.record, host.world);
    const read = understand(kind, found.record);
    const complaints =
      elsewhere !== undefined
        ? [elsewhere]
        : 'unreadable' in read
          ? [read.unreadable]
          : [
              ...verifyLeases(found.host, read.known),
              ...(await kind.verify(found.host, read.known)),
              ...(await kind.verifyInside(requireNetns(context), read.known, told ?? {})),
            ];
    if (complaints.length === 0) return;
    throw new NetmoorError(
      'check-failed',
      `${formatKey(key)}: ${complaints.join('; ')}`,
      'detach and attach the container again (DEL, ADD)',
    );
  });
}

async function gc(kind: Kind, context: Context): Promise<void> {
  const { config } = context;
  const valid = new Set(config.validAttachments.map(({ containerId, ifname }) => `${containerId}/${ifname}`));
  const { collect, collectionError } = await import('./collect.ts');
  const failures = await onHost(context, (host) =>
    collect(
      kind,
      host,
      config.name,
      (record) =>
        valid.has(`${record.containerId}/${record.ifname}`) || kind.isNoContainer?.(record) === true,
    ),
  );
  const type = delegatedType(kind, context);
  try {
    if (type !== undefined) delegateGc(type, context);
    if (kind.asksEngine) collectThroughEngine(config.name, engineFor(context));
  } catch (error) {
    failures.push({ what: errorText(error), error });
  }
  const error = collectionError(failures);
  if (error) throw error;
}

async function status(kind: Kind, context: Context): Promise<void> {
  const config = await kind.readConfig(context.config, context.request);
  const type = delegatedType(kind, context);
  if (type !== undefined) delegateStatus(type, context);
  if (config.dhcp) probeThroughEngine(config.dhcp, context);
  const { probeStore } = await import('./status.ts');
  await onHost(context, async (host) => {
    try {
      const complete = kind.complete(host, config, context.config.name);
      await kind.probe(host, complete);
      probeStore(kind, host, context.config.name, complete);
    } catch (error) {
      if (error instanceof NetmoorError && error.kind === 'store') {
        throw new NetmoorError('not-available', error.message, error.details, { cause: error });
      }
      throw error;
    }
  });
}

export function pluginOf(kind: Kind): Plugin {
  return {
    name: kind.name,
    about: kind.about,
    add: (context) => add(kind, context),
    check: (context) => check(kind, context),
    del: (context) => del(kind, context),
    gc: (context) => gc(kind, context),
    status: (context) => status(kind, context),
  };
}
