import { Failure } from './failure.ts';

/** What a principal may be allowed. A command names one of these. */
export type Permission =
  | 'stock:read'
  | 'stock:write'
  /** Say how much there is, whatever the ledger says. */
  | 'stock:count'
  /** Undo what others did, and what was done long ago; one's own last minutes need only `stock:write`. */
  | 'stock:undo'
  | 'stock:import'
  | 'item:write'
  | 'user:write'
  | 'audit:read'
  | 'server:read'
  | 'server:write';

/** A role is a list of permissions and nothing else; who has none of these roles may do nothing. */
export const roles = {
  viewer: ['stock:read'],
  auditor: ['stock:read', 'audit:read', 'server:read'],
  clerk: ['stock:read', 'stock:write'],
  manager: ['stock:read', 'stock:write', 'stock:count', 'stock:undo', 'stock:import', 'item:write'],
  admin: [
    'stock:read',
    'stock:write',
    'stock:count',
    'stock:undo',
    'stock:import',
    'item:write',
    'user:write',
    'audit:read',
    'server:read',
    'server:write',
  ],
} as const satisfies Record<string, readonly Permission[]>;

export type Role = keyof typeof roles;

export const roleNames = Object.keys(roles) as readonly Role[]; // Object.keys forgets the key type.

/** The permissions of a role. */
export function permissionsOf(role: Role): readonly Permission[] {
  return roles[role];
}

/** The ids of the only locations that somebody may know of; null: all. */
export type Scope = readonly number[] | null;

/** All that the rule of authorization looks at. */
export interface Rights {
  readonly permissions: readonly Permission[];
  readonly scope: Scope;
}

/** The one rule of authorization: deny unless the permission is listed and the location, if it is about one, is in scope. */
export function may({ permissions, scope }: Rights, permission: Permission, locationId?: number): boolean {
  return permissions.includes(permission) && (locationId === undefined || isWithin(scope, locationId));
}

/** The rule's second half, for the store: outside its scope a location does not exist. */
export function isWithin(scope: Scope, locationId: number): boolean {
  return scope === null || scope.includes(locationId);
}

/**
 * What an API token may do: what its own role allows, as far as its owner's present role allows it, too. So a token
 * shrinks with its owner and never grows. Access is for people to give: whoever finds a token must not be able to make
 * another way in, nor to shut anybody out.
 */
export function permissionsOfToken(role: Role, owner: Role): readonly Permission[] {
  return permissionsOf(role).filter(
    (permission) => permission !== 'user:write' && permissionsOf(owner).includes(permission),
  );
}

/** Whether a role allows nothing that the other does not. */
export function isRoleWithin(role: Role, other: Role): boolean {
  return permissionsOf(role).every((permission) => permissionsOf(other).includes(permission));
}

/** Deny unless allowed. Failures: `forbidden`. */
export function assertMay(principal: Rights & { readonly role: Role }, permission: Permission): void {
  if (may(principal, permission)) return;
  const { role } = principal;
  const shrunk = permissionsOf(role).includes(permission)
    ? 'This API token may not: no token may change access, and none may do more than its owner.'
    : `You are ${role}.`;
  throw new Failure('forbidden', `Needs the permission ${permission} (roles ${rolesWith(permission).join(', ')}).`, {
    hint: `${shrunk} Ask an administrator.`,
  });
}

/** The roles that have a permission, for the message of a refusal. */
export function rolesWith(permission: Permission): readonly Role[] {
  return roleNames.filter((role) => permissionsOf(role).includes(permission));
}

/** How a server decides who may talk to it: `auth.mode` (security.md 8). */
export const authModes = ['token', 'mutual', 'either', 'both'] as const;
export type AuthMode = (typeof authModes)[number];

/** Whether a server that is set so lets in nobody without a client certificate, but to enroll. */
export function needsCertificate(mode: AuthMode): boolean {
  return mode === 'mutual' || mode === 'both';
}

/** To whom a server issues client certificates by itself: `pki.issue`. */
export const issuePolicies = ['off', 'enrolment', 'on'] as const;
export type IssuePolicy = (typeof issuePolicies)[number];
