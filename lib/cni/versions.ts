/**
 * The versions of the CNI specification spoken here, and the whole answer to VERSION. Imports nothing: podman asks
 * every plugin of every network for it in every command.
 */

export const SUPPORTED_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

export const CURRENT_VERSION: CniVersion = '1.1.0';

/** What a configuration without `cniVersion` means. */
export const ASSUMED_VERSION: CniVersion = '0.1.0';

export function isSupportedVersion(text: string): text is CniVersion {
  return (SUPPORTED_VERSIONS as readonly string[]).includes(text);
}

/** True when `version` is `minimum` or a later one. */
export function isAtLeast(version: CniVersion, minimum: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(minimum);
}

/** The JSON document that answers VERSION (specification, section 5 "Version"), with its newline. */
export function versionAnswer(): string {
  return `${JSON.stringify({ cniVersion: CURRENT_VERSION, supportedVersions: SUPPORTED_VERSIONS })}\n`;
}
