// Requests to the switch. The session is a cookie that no script can read; what changes something carries its word.
import { reactive } from 'vue';

export const session = reactive({ isKnown: false, user: '', domain: '', role: 'none', csrf: '' });
const ranks = { none: 0, read: 1, agent: 2, operator: 3, admin: 4 };
export const may = role => ranks[session.role] >= ranks[role];

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(method, path, body) {
  const headers = {};
  if (method !== 'GET' && session.csrf)
    headers['X-Tandem-CSRF'] = session.csrf;
  if (body !== undefined)
    headers['Content-Type'] = 'application/json';
  const got = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin', cache: 'no-store' });
  const text = await got.text();
  const isJson = (got.headers.get('Content-Type') || '').includes('json');
  const data = isJson && text ? JSON.parse(text) : text;
  if (got.ok)
    return data;
  if (got.status === 401 && path !== '/v1/session')
    session.role = 'none';
  throw new Refused(got.status, data.detail || String(got.status));
}
export const get = path => ask('GET', path);
export const post = (path, body) => ask('POST', path, body);

function sessionTake(s) {
  Object.assign(session, { user: s.user, domain: s.domain, role: s.role, csrf: s.csrf });
}

export async function sessionLook() {
  try {
    sessionTake(await get('/v1/session'));
  } catch {
    session.role = 'none';
  }
  session.isKnown = true;
}
export const signIn = async who => sessionTake(await post('/v1/session', who));
export async function signOut() {
  try {
    await ask('DELETE', '/v1/session');
  } finally {
    sessionTake({ user: '', domain: '', role: 'none', csrf: '' });
  }
}

// A command: its reply, or what it refused.
export async function command(name, args = '') {
  const got = await post(`/v1/commands/${name}`, { args });
  if (got.status === 'error')
    throw new Refused(200, got.error);
  return got.reply;
}
export async function onChannel(uuid, name, args = '') {
  const got = await post(`/v1/channels/${uuid}/commands`, { command: name, args });
  if (got.status === 'error')
    throw new Refused(200, got.error);
  return got.reply;
}
