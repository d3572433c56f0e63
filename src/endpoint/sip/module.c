/* The endpoint's module: FreeSWITCH's mod_sofia by name. Load reads sofia.conf, opens the store, brings
 * registrations back and starts the profiles; unload ends them in the opposite order. */
#include "core/registry/module.h"
#include "base/log.h"
#include "core/conf/acl.h"
#include "core/conf/config.h"
#include "core/registry/app.h"
#include "core/registry/complete.h"
#include "core/registry/endpoint.h"
#include "core/value/self.h"
#include "endpoint/sip/call/message.h"
#include "endpoint/sip/module_i.h"
#include "guard/guard.h"

#include <string.h>

/* What stands on a profile, each beside the others. A feature adds a line. */
static const struct profile_part *const parts[] = {&profile_tls_part, &reg_part, &reg_ping_part, &gateway_part,
    &watch_part, &call_part, &message_part, &request_part, NULL};

/* The registrations and subscriptions that go with it. */
static void on_conn_closed(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *profile)
{
	role_assert_ctl();
	reg_conn_closed(s, t, peer, profile);
	watch_conn_closed(s, t, peer, profile);
}

const struct profile_hooks sofia_hooks = {
    .parts = parts, .on_request = request_in, .on_conn_closed = on_conn_closed, .on_address = gateways_address_changed};

static bool exempt(const struct addr *src)
{
	role_assert_ctl();
	for (const struct profile *p = profile_next(NULL); p; p = profile_next(p))
		if (*p->conf.proxy_acl && acl_allows(sv_of(p->conf.proxy_acl), src, NULL, NULL))
			return true; /* everybody's failures come from there */
	return gateway_is_any_at(src);
}

static int sofia_load(void)
{
	role_assert_ctl();
	profiles_init(&sofia_hooks);
	profiles_trace_set(false);
	calls_init();
	profiles_capture_set(false);
	sofia_trace_start(xml_child(config_conf("sofia.conf"), "global_settings"));
	stir_sip_start(xml_child(config_conf("sofia.conf"), "global_settings"));
	guard_exempt_set(exempt);
	if (core_dirs() && core_dirs()->db && reg_store_open(core_dirs()->db) < 0)
		log_error("sofia: registrations will not outlive a restart");
	complete_lists_add(sofia_lists);
	if (message_carrier_open())
		log_error("sofia: messages are not carried");
	if (profile_tls_events_start())
		log_error("sofia: out of memory: reloadcert does nothing");
	if (sofia_events_start())
		log_error("sofia: out of memory: events do not send requests");
	if (watch_start(request_waits))
		log_error("sofia: out of memory: mailboxes are not told of");
	if (!config_conf("sofia.conf")) {
		log_error("sofia: sofia.conf is missing: no SIP");
		return ST_OK;
	}
	if (profiles_start_all(config_conf("sofia.conf")) < 0)
		log_error("sofia: no profile is running");
	return ST_OK;
}

static int sofia_unload(void)
{
	role_assert_ctl();
	complete_lists_del(sofia_lists);
	sofia_events_stop();
	guard_exempt_set(NULL);
	message_carrier_close();
	profile_tls_events_stop();
	profiles_stop_all();
	stir_sip_stop();
	sofia_trace_stop();
	watch_stop();
	reg_store_close();
	return ST_OK;
}

static const struct endpoint_ops *const endpoints[] = {&sofia_ops, &sip_ops, NULL};

static const struct name_desc names[] = {{"chat", "sip"}, {"management", "1.001"}, {0}};

static const struct var_desc vars[] = {
    {"sip_from_user", "text", "user of the caller's From", false, true},
    {"sip_from_host", "text", "host of the caller's From, and of ours", true, true},
    {"sip_from_uri", "text", "user@host of the caller's From; outbound, with its scheme: our From", true, true},
    {"sip_from_display", "text", "display name of the caller's From", false, true},
    {"sip_from_tag", "text", "tag of the From", false, true},
    {"sip_to_user", "text", "user of the To", false, true},
    {"sip_to_host", "text", "host of the To", false, true},
    {"sip_to_uri", "text", "user@host[:port] of the To", false, true},
    {"sip_to_tag", "text", "tag of the To", false, true},
    {"sip_req_user", "text", "user of the request URI", false, true},
    {"sip_req_host", "text", "host of the request URI", false, true},
    {"sip_req_uri", "text", "the request URI without scheme", false, true},
    {"sip_exclude_contact", "text", "contacts with this text in their address are not dialled", true, false},
    {"sip_contact_uri", "text", "the far side's Contact without scheme", false, true},
    {"sip_network_ip", "address", "where the far side's packets come from", false, true},
    {"sip_network_port", "port", "and from which port", false, true},
    {"sip_call_id", "text", "Call-ID of the dialog", false, true},
    {"sip_user_agent", "text", "User-Agent of the far side", false, true},
    {"sip_from_is_account", "boolean",
        "false: who logged in calls itself something else; true is told where inbound-call-force-matching-username is "
        "set",
        false, true},
    {"sip_authorized", "boolean", "the caller showed a password or is on the access list", false, true},
    {"sip_auth_username", "text", "who authenticated; outbound: user name for challenges", true, true},
    {"user_name", "text", "id of the directory's user that called; whose limits of expensive calls count", true, true},
    {"sip_auth_password", "text", "outbound: password for challenges", true, false},
    {"sip_acl_authed_by", "text", "access list that let the caller in", false, true},
    {"sip_invite_domain", "text", "host of our From and of the target", true, true},
    {"sip_invite_call_id", "text", "Call-ID of the outbound call", true, false},
    {"sip_invite_cseq", "number", "CSeq of the outbound call's INVITE", true, false},
    {"sip_invite_contact_params", "text", "parameters added to the address in Contact; after it with ~ in front", true,
        false},
    {"sip_invite_params", "text", "parameters added to the request URI", true, false},
    {"sip_contact_user", "text", "user of our Contact", true, true},
    {"sip_ignore_remote_cid", "boolean", "who is called may not say in his 180, 183 or 200 who he is", true, false},
    {"sip_enable_100rel", "boolean",
        "reliable provisional responses of this leg, in place of the profile's enable-100rel: whether our INVITE "
        "offers "
        "them; whether ours are reliable, of a caller who supports them",
        true, false},
    {"sip_use_gateway", "gateway", "whose account answers a challenge to our INVITE, wherever it goes", true, false},
    {"sip_callee_id_name", "text", "who answers, as the caller is told", true, false},
    {"sip_callee_id_number", "text", "who answers, as the caller is told", true, false},
    {"sip_cid_type", "rpid|pid|none", "which identity header tells the caller; inbound: which one came", true, true},
    {"sip_cid_in_1xx", "boolean", "false: no identity header before the answer", true, false},
    {"sip_force_full_from", "address", "all of From but its tag; goes before sip_invite_full_from", true, false},
    {"sip_force_full_to", "address", "all of To but its tag; goes before sip_invite_full_to", true, false},
    {"sip_req_params", "text", "parameters of the request URI", false, true},
    {"sip_to_params", "text", "parameters of the address in To", false, true},
    {"sip_contact_params", "text", "parameters of the address in Contact", false, true},
    {"sip_destination_prefix", "text", "destination-prefix of the gateway the call goes by", false, true},
    {"isup_calling_party_category", "text",
        "where isup is map: category of the IAM that came; of ours: ordinary, priority, data, test, payphone, "
        "operator-..., or a number",
        true, true},
    {"isup_cause", "number", "where isup is map: cause of the REL that ended the leg", false, true},
    {"isup_cause_location", "number", "where isup is map: and its location", false, true},
    {"sip_copy_multipart", "boolean", "false: ISUP and sip_multipart do not go from one leg to the other", true, false},
    {"sip_multipart", "list",
        "parts of the INVITE's body beside the session description, each type:body; those that came, and those that "
        "the leg's own INVITE gets (type:~ and header lines, an empty line, body: with these headers)",
        true, true},
    {"sip_proxy_info", "boolean", "an INFO of this phone goes to the other side in place of us (proxy-info)", true,
        false},
    {"sip_proxy_message", "boolean", "the same of a MESSAGE inside the call (proxy-message)", true, false},
    {"sip_redirecting_headers", "none|diversion|history-info|both",
        "how a redirected call tells who redirected it; default: the gateway's or profile's redirecting-headers", true,
        false},
    {"sip_redirecting_reason", "text", "why it was redirected, a reason of Diversion (user-busy, no-answer ...)", true,
        true},
    {"sip_cid_suppress_privacy_none", "boolean", "no Privacy: none beside P-Asserted-Identity", true, false},
    {"initial_callee_id_name", "text", "who answers, as the caller is told: before all the others", true, false},
    {"sip_P-Asserted-Identity", "text", "its number", false, true},
    {"sip_P-Preferred-Identity", "address", "the header", false, true},
    {"sip_Remote-Party-ID", "address", "the header", false, true},
    {"sip_Privacy", "text", "the header", false, true},
    {"sip_call_info", "text", "the caller's Call-Info", true, true},
    {"sip_alert_info", "text", "the caller's Alert-Info", true, true},
    {"sip_history_info", "text", "the caller's History-Info", true, true},
    {"sip_subject", "text", "the caller's Subject", true, true},
    {"sip_geolocation", "text", "the caller's Geolocation", true, true},
    {"sip_identity", "text", "the caller's Identity (RFC 8224), not checked", true, true},
    {"alert_info", "text", "Alert-Info of the outbound call", true, false},
    {"sip_copy_custom_headers", "boolean", "false: headers do not go from A to B", true, false},
    {"sip_copy_headers", "list",
        "headers besides X-, Diversion and User-to-User that go from A to B: P-Charging-Vector, P-*, Call-Info, "
        "Alert-Info",
        true, false},
    {"sip_h_*", "text", "INVITE header in and out", true, true},
    {"sip_rh_*", "text", "header of our final responses; X- headers of the called phone's come by themselves", true,
        true},
    {"sip_ph_*", "text", "header of our provisional responses; X- headers of the called phone's come by themselves",
        true, true},
    {"sip_info_h_*", "text", "header of our INFO (send_info, uuid_send_info)", true, false},
    {"sip_bye_h_*", "text",
        "header of our BYE, of the 200 to the phone's own, and of the BYE to the other side; X- headers of a BYE come "
        "by "
        "themselves",
        true, true},
    {"sip_reason", "text", "Reason header, verbatim; that of a BYE or CANCEL that came, on both legs", true, true},
    {"disable_q850_reason", "boolean", "no Reason header", true, false},
    {"sip_ignore_remote_cause", "boolean", "the B leg's status is not passed to A", true, false},
    {"ignore_q850_reason", "boolean", "Reason of a refusal is not looked at", true, false},
    {"last_bridge_proto_specific_hangup_cause", "text", "sip:NNN of the last B leg", true, true},
    {"sip_invite_req_uri", "uri", "the request URI itself", true, false},
    {"sip_invite_to_uri", "uri", "the address in To", true, false},
    {"sip_invite_from_uri", "uri", "the address in From", true, false},
    {"sip_invite_full_from", "address", "all of From but its tag", true, false},
    {"sip_invite_full_to", "address", "all of To but its tag", true, false},
    {"sip_invite_from_params", "text", "parameters added to the address in From", true, false},
    {"sip_invite_to_params", "text", "parameters added to the address in To", true, false},
    {"sip_to_display", "text", "the name in To", true, false},
    {"sip_route_uri", "uri", "Route of the INVITE", true, false},
    {"sip_invite_route_uri", "uri", "the same, looked at first", true, false},
    {"outbound_redirect_fatal", "bool", "a 3xx ends the leg: REQUESTED_CHAN_UNAVAIL", true, false},
    {"outbound_redirect_info", "bool", "with manual-redirect: the caller is not transferred", true, false},
    {"sip_redirect_profile", "profile", "in sip_redirect_dialstring", true, false},
    {"sip_redirect_dialplan", "dialplan", "with manual-redirect: where the caller goes; default XML", true, false},
    {"sip_redirect_context", "context", "with manual-redirect: where the caller goes; default redirected", true, false},
    {"sip_redirect_fork", "bool", "contacts of sip_redirect_dialstring at once, not in turn", true, false},
    {"sip_redirected_to", "address", "first contact of a 3xx", false, true},
    {"sip_redirected_by", "address", "its Diversion", false, true},
    {"sip_redirect_count", "number", "of its contacts", false, true},
    {"sip_redirect_dialstring", "dial string", "of all its contacts", false, true},
    {"sip_invite_failure_status", "number", "final status of the refused INVITE", false, true},
    {"sip_invite_failure_phrase", "text", "and its phrase", false, true},
    {"sip_term_status", "number", "status that ended the call", false, true},
    {"sip_term_cause", "number", "its cause", false, true},
    {"sip_hangup_phrase", "text", "phrase of what ended the call", false, true},
    {"sip_hangup_disposition", "text", "recv_bye send_bye recv_cancel send_cancel recv_refuse send_refuse", false,
        true},
    {"sip_gateway", "text", "gateway an inbound call came by", false, true},
    {"sip_gateway_name", "text", "gateway an outbound call goes by", false, true},
    {"sip_refer_to", "text", "Refer-To of the transfer this leg is in", false, true},
    {"sip_referred_by_user", "text", "user of its Referred-By", false, true},
    {"sip_referred_by_host", "text", "host of its Referred-By", false, true},
    {"transfer_fallback_extension", "text", "on the leg that asked for a transfer: its user", false, true},
    {"transfer_to", "text",
        "on the leg that asked for a transfer: blind:UUID or att:UUID of who is transferred, or to whom", false, true},
    {"transfer_destination", "text", "on the leg that asked for a transfer: blind:EXTENSION", false, true},
    {"transfer_disposition", "text", "blind or attended, on the leg that asked", false, true},
    {"deny_refer_requests", "boolean", "REFER of this leg is refused", true, false},
    {"confirm_blind_transfer", "boolean",
        "a REFER to a number is answered by how the new call went (NOTIFY 100, then the end); until then the leg "
        "waits, "
        "and gets the other one back when nobody took it",
        true, false},
    {"sip_allow", "list", "methods that the far side takes", false, true},
    {"sip_refer_reply", "text", "what came of our REFER: a status line", false, true},
    {"sip_refer_continue_after_reply", "boolean", "after deflect the dialplan goes on, whatever came of it", true,
        false},
    {"ignore_display_updates", "boolean", "who the other party is is neither told to the phone nor read from it", true,
        false},
    {"update_ignore_ua", "boolean", "it is told by UPDATE whatever the phone's make", true, false},
    {"sip_auto_answer", "boolean",
        "asks the phone to answer by itself: Call-Info, intercom=true, and NOTIFY of talk when it rings", true, false},
    {"sip_auto_answer_suppress_notify", "boolean", "without that NOTIFY", true, false},
    {"sip_auto_answer_detected", "boolean",
        "the caller asks for an answer at once: Call-Info with answer-after, Alert-Info of auto-answer, or "
        "intercom=true",
        false, true},
    {"max_forwards", "number", "hops left", true, true},
    {"sip_stir_shaken_attest", "A|B|C", "outbound: the call is signed with this attestation (RFC 8588); none: not",
        true, false},
    {"sip_verstat", "text", "TN-Validation-Passed, TN-Validation-Failed or No-TN-Validation: the caller's Identity",
        true, true},
    {"sip_verstat_detailed", "text", "the same with -A, -B or -C behind it", false, true},
    {"sip_verstat_reason", "text", "why it failed", false, true},
    {"sip_verstat_attest", "A|B|C", "attestation of the token that came", false, true},
    {"sip_verstat_origid", "text", "origid of the token that came", false, true},
    {"sip_stir_shaken_vs_max_age", "seconds", "sofia_stir_shaken_vs: how old a token may be", true, false},
    {"sip_stir_shaken_vs_cert_path_check", "boolean", "sofia_stir_shaken_vs: certificates are checked", true, false},
    {"sip_stir_shaken_vs_require_date", "boolean", "sofia_stir_shaken_vs: without Date it fails", true, false},
    {"sip_stir_shaken_vs_hangup_on_fail", "boolean", "sofia_stir_shaken_vs: a call that fails is refused", true, false},
    {"sip_session_timeout", "seconds", "session timer (RFC 4028) in place of the profile's session-timeout", true,
        false},
    {"sip_require_timer", "boolean", "false: our 200 does not require the session timer it agrees to", true, false},
    {"sip_update_refresher", "boolean", "sessions are refreshed by UPDATE where the phone takes it", true, false},
    {0},
};

/* Of a profile's settings those that FreeSWITCH does not have. */
static const struct conf_desc confs[] = {
    {"sofia.conf", "isup", "none|pass|map", "", "none; of a gateway: pass",
        "profile and gateway: application/isup in bodies goes from leg to leg as it came; map: cause, calling party's "
        "category and redirecting number are read and written too"},
    {"sofia.conf", "redirecting-headers", "none|diversion|history-info|both", "", "none",
        "profile and gateway: a redirected call says who redirected it, and of one that comes the redirecting number "
        "is read (Caller-RDNIS)"},
    {"sofia.conf", "apply-identity-acl", "list", "", "",
        "profile: whose P-Asserted-Identity, Remote-Party-ID, Diversion are believed (gateways' besides); empty: "
        "everybody's"},
    {"sofia.conf", "max-transactions-per-address", "number", "", "10000",
        "profile: requests of one address that wait for their answer; more get 503"},
    {"sofia.conf", "max-subscriptions", "number", "", "100000", "profile: subscriptions of all phones; more get 503"},
    {"sofia.conf", "max-subscriptions-per-user", "number", "", "500", "profile: of these of one account"},
    {"sofia.conf", "presence-dialog-partial", "boolean", "", "false",
        "profile: a NOTIFY of dialogs after the first one has only those that changed"},
    {"presence_map.conf", "exten", "list", "", "",
        "of a domain: regex and proto (conf, park, fifo ...): what a number's lamp is, with presence-proto-lookup"},
    {"resource_lists.conf", "list", "list", "", "", "a list of keys for SUBSCRIBE to list+NAME: name, domain, entries"},
    {"sofia.conf", "drop-user-agents", "list", "", "",
        "profile: patterns of User-Agents (or display names of From) whose requests are dropped without an answer; "
        "scanners: a built-in list of programs that look for open doors"},
    {"sofia.conf", "allow-methods-in", "list", "", "",
        "profile: patterns of methods that are taken; others get 405. ACK, BYE and CANCEL always are"},
    {"sofia.conf", "deny-methods-in", "list", "", "",
        "profile: patterns of methods that get 405, before those allowed"},
    {"sofia.conf", "allow-methods-out", "list", "", "", "profile: patterns of methods of ours that may go out"},
    {"sofia.conf", "deny-methods-out", "list", "", "",
        "profile: patterns of methods of ours that may not, before those allowed"},
    {"sofia.conf", "allow-headers-in", "list", "", "",
        "profile: patterns of headers that are read; others are as if they had not come, but those a message needs"},
    {"sofia.conf", "deny-headers-in", "list", "", "",
        "profile: patterns of headers that are not read, before those allowed"},
    {"sofia.conf", "allow-headers-out", "list", "", "",
        "profile: patterns of headers that go out, and those a message needs"},
    {"sofia.conf", "deny-headers-out", "list", "", "",
        "profile: patterns of headers that do not go out, before those allowed"},
    {"sofia.conf", "max-calls-per-address", "number", "", "0",
        "profile: calls at a time from one address (gateways' are not counted); more get 486; 0: any number"},
    {"sofia.conf", "max-calls-per-user", "number", "", "0",
        "profile: calls at a time that one account makes; its directory parameter max-calls goes before"},
    {"sofia.conf", "max-call-rate-per-address", "number", "a minute", "0",
        "profile: calls that one address begins in a minute"},
    {"sofia.conf", "max-call-rate-per-user", "number", "a minute", "0",
        "profile: calls that one account begins in a minute; its directory parameter max-call-rate goes before"},
    {"sofia.conf", "overload-delay", "number", "ms", "30",
        "profile: when messages wait longer until they are read, and that lasts, new calls that did get 503 with "
        "Retry-After; at twice that strangers' other requests outside of calls, too; 0: never"},
    {"sofia.conf", "refer-outside-of-calls", "boolean", "", "false",
        "profile: an account may send REFER outside of a call: about a call of its own (Target-Dialog), or to have its "
        "own "
        "phones call a number"},
    {"sofia.conf", "enable-join", "boolean", "", "false",
        "profile: an INVITE with Join makes a third of two legs; who knows a dialog's names listens in by it"},
    {"sofia.conf", "message-rate-per-sender", "number", "", "20",
        "profile: MESSAGEs a second of one user (of one address where nobody has to log in); more get 503; 0: any"},
    {"sofia.conf", "udp-answer-factor", "number", "", "3",
        "profile: an address that has not shown that it receives our answers is sent at most so many times the bytes "
        "that "
        "came from it; 0: no bound"},
    {"sofia.conf", "ext-address-refresh", "number", "s", "300",
        "profile: how often what stands behind stun:, host: and auto-nat of ext-sip-ip and ext-rtp-ip is asked again; "
        "0: "
        "never"},
    {"sofia.conf", "udp-request-max-bytes", "number", "bytes", "1300",
        "profile: a longer request whose URI names no transport tries TCP first, and UDP where that leads nowhere; 0: "
        "never"},
    {"sofia.conf", "tcp-max-connections", "number", "", "10000",
        "profile: TCP connections at a time; those that have not logged in make room, the oldest silent one first"},
    {"sofia.conf", "tcp-max-connections-per-address", "number", "", "2000",
        "profile: of these from one address: an office of 500 phones behind one, whose router has forgotten the old "
        "ones three times"},
    {"sofia.conf", "tcp-message-timeout", "number", "s", "10",
        "profile: from a TCP connection to its first whole message, and for each later one from its first byte"},
    {"sofia.conf", "tcp-max-bytes", "number", "bytes", "67108864",
        "profile: buffered for unfinished messages and unread answers on TCP; beyond it the oldest goes"},
    {"sofia.conf", "tcp-max-bytes-per-address", "number", "bytes", "8388608", "profile: of these for one address"},
    {"sofia.conf", "tcp-max-body-bytes-before-login", "number", "bytes", "65536",
        "profile: longest body of a TCP connection that has not logged in (1 MiB afterwards)"},
    {"sofia.conf", "capture-server", "text", "", "",
        "global: where messages are sent by HEP: udp:HOST:PORT or tcp:HOST:PORT, then ;hep=3;capture_id=N;"
        "capture_password=TEXT;node=TEXT"},
    {"sofia.conf", "sip-ladder-bytes", "number", "bytes", "8388608",
        "global: memory for the messages that `sofia ladder` shows; 0: none are kept"},
    {"sofia.conf", "trust-traceparent", "boolean", "", "false",
        "profile: a traceparent header of an INVITE is believed: its trace is gone on with (otel.conf)"},
    {"sofia.conf", "stir-shaken-as-key", "path", "", "", "global: private key (PEM, P-256) that calls are signed with"},
    {"sofia.conf", "stir-shaken-as-url", "url", "", "", "global: where its certificate is published"},
    {"sofia.conf", "stir-shaken-vs-ca-dir", "path", "", "",
        "global: certificates and revocation lists (PEM) of the authorities that are believed"},
    {"sofia.conf", "stir-shaken-vs-cert-path-check", "boolean", "", "true",
        "global: a caller's certificate must lead to one of them and be for his number"},
    {"sofia.conf", "stir-shaken-vs-require-date", "boolean", "", "false", "global: an INVITE without Date fails"},
    {"sofia.conf", "stir-shaken-vs-max-age", "number", "s", "60", "global: how old a token may be"},
    {"sofia.conf", "stir-shaken-vs-cache-ttl", "number", "s", "3600",
        "global: how long a certificate is kept, if its server allows it"},
    {"sofia.conf", "stir-shaken-vs-tls-ca-file", "path", "", "",
        "global: whose signatures count of the servers that certificates come from; empty: the system's"},
    {"sofia.conf", "stir-shaken-vs-allow-inside", "boolean", "", "false",
        "global: certificates may be fetched from private addresses"},
    {"sofia.conf", "stir-shaken-attest", "A|B|C", "", "", "profile, gateway: calls that go out are signed so"},
    {"sofia.conf", "stir-shaken-verify", "text", "", "off",
        "profile: off; mark: variables tell; reject: calls that fail are refused; require: those without Identity, "
        "too"},
    {"sofia.conf", "stir-shaken-verify-timeout", "number", "ms", "2000", "profile: an INVITE waits at most so long"},
    {0},
};

static const struct app_desc apps[] = {
    {"sofia_stir_shaken_vs", "Verify SIP Identity header and store result in sip_verstat channel variable", "",
        APP_NO_MEDIA, call_stir_app, NULL},
    {0},
};

const struct module mod_sofia = {.abi = MODULE_ABI,
    .name = "mod_sofia",
    .load = sofia_load,
    .unload = sofia_unload,
    .apps = apps,
    .apis = sofia_apis,
    .endpoints = endpoints,
    .names = names,
    .vars = vars,
    .confs = confs,
    .metrics = sofia_metrics,
    .is_ready = sofia_is_ready};
