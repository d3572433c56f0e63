/* The table of profile parameters: name, type, place in the struct, default. A <profile> node is walked once; each
 * <param> is looked up and converted. Parameters FreeSWITCH knows and we have no use for yet are listed so that only
 * real typing errors are reported. Nothing is opened or resolved here. */
#include "endpoint/sip/profile/profile_conf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/xml.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum param_type {
	P_IGNORED,
	P_TEXT,
	P_LIST /* repeatable, joined by commas; none clears */,
	P_BOOL,
	P_NOT /* inverted */,
	P_UINT
};
static const char *const type_names[] = {"", "text", "list", "boolean", "boolean", "number"};
struct param {
	const char *name;
	enum param_type type;
	size_t at;
	const char *fallback;
};
#define P(name, type, field, fallback) \
	{ \
		name, type, offsetof(struct profile_conf, field), fallback \
	}
#define IGN(name) \
	{ \
		name, P_IGNORED, 0, NULL \
	}

static const struct param params[] = {
    P("sip-ip", P_TEXT, sip_ip, ""),
    P("rtp-ip", P_TEXT, rtp_ip, ""),
    P("ext-sip-ip", P_TEXT, ext_sip_ip, ""),
    P("ext-rtp-ip", P_TEXT, ext_rtp_ip, ""),
    P("ext-sip-port", P_UINT, ext_sip_port, "0"),
    P("sip-port", P_UINT, sip_port, "5060"),
    P("sip-domain", P_TEXT, sip_domain, ""),
    P("domain", P_TEXT, sip_domain, NULL),
    P("bind-params", P_TEXT, bind_params, ""),
    P("tls", P_BOOL, has_tls, "false"),
    P("tls-only", P_BOOL, is_tls_only, "false"),
    P("tls-bind-params", P_TEXT, tls_bind_params, "transport=tls"),
    P("tls-sip-port", P_UINT, tls_port, "0"),
    P("tls-cert-dir", P_TEXT, tls_cert_dir, ""),
    P("tls-passphrase", P_TEXT, tls_passphrase, ""),
    P("tls-verify-date", P_BOOL, tls_checks_date, "true"),
    P("tls-verify-policy", P_TEXT, tls_verify_policy, "none"),
    P("tls-verify-depth", P_UINT, tls_depth, "2"),
    P("tls-verify-in-subjects", P_TEXT, tls_in_subjects, ""),
    P("tls-ciphers", P_TEXT, tls_ciphers, ""),
    P("tls-version", P_TEXT, tls_version, "tlsv1.2,tlsv1.3"),
    P("tls-timeout", P_UINT, tls_timeout_s, "300"),
    P("tls-orq-connect-timeout", P_UINT, tls_connect_ms, "0"),
    P("ws-binding", P_TEXT, ws_binding, ""),
    P("wss-binding", P_TEXT, wss_binding, ""),
    P("ws-origins", P_LIST, ws_origins, ""),
    P("timer-T1", P_UINT, t1_ms, "500"),
    P("timer-T1X64", P_UINT, t1x64_ms, "32000"),
    P("timer-T2", P_UINT, t2_ms, "4000"),
    P("timer-T4", P_UINT, t4_ms, "4000"),
    P("dialplan", P_TEXT, dialplan, "XML"),
    P("context", P_TEXT, context, "default"),
    P("codec-prefs", P_TEXT, codec_prefs, ""),
    P("inbound-codec-prefs", P_TEXT, inbound_codecs, ""),
    P("outbound-codec-prefs", P_TEXT, outbound_codecs, ""),
    P("inbound-codec-negotiation", P_TEXT, negotiation, "generous"),
    P("inbound-late-negotiation", P_BOOL, is_late_negotiation, "false"),
    P("bitpacking", P_TEXT, bitpacking, ""),
    P("inbound-zrtp-passthru", P_BOOL, passes_zrtp, "false"),
    P("disable-transcoding", P_BOOL, has_disabled_transcoding, "false"),
    P("inbound-bypass-media", P_BOOL, is_nomedia, "false"),
    P("inbound-no-media", P_BOOL, is_nomedia, NULL),
    P("inbound-proxy-media", P_BOOL, is_proxy_media, "false"),
    P("require-secure-rtp", P_BOOL, is_secure_required, "false"),
    P("media-option", P_LIST, media_options, ""),
    P("hold-music", P_TEXT, hold_music, ""),
    P("disable-hold", P_BOOL, has_disabled_hold, "false"),
    P("rtp-timeout-sec", P_UINT, rtp_timeout_s, "0"),
    P("rtp-hold-timeout-sec", P_UINT, rtp_hold_timeout_s, "0"),
    P("rtp_timeout_sec", P_UINT, rtp_timeout_s, NULL),
    P("rtp_hold_timeout_sec", P_UINT, rtp_hold_timeout_s, NULL),
    P("media_timeout", P_UINT, media_timeout_ms, "0"),
    P("media_hold_timeout", P_UINT, media_hold_timeout_ms, "0"),
    P("media-timeout", P_UINT, media_timeout_ms, NULL),
    P("media-hold-timeout", P_UINT, media_hold_timeout_ms, NULL),
    P("vad", P_TEXT, vad, "none"),
    P("auto-jitterbuffer-msec", P_TEXT, jitterbuffer, ""),
    P("rtcp-audio-interval-msec", P_UINT, rtcp_interval_ms, "0"),
    P("rtp-source", P_TEXT, rtp_source, "nat"),
    P("disable-rtp-auto-adjust", P_BOOL, has_rtp_auto_adjust_off, "false"),
    P("suppress-cng", P_BOOL, is_cng_suppressed, "true"),
    P("supress-cng", P_BOOL, is_cng_suppressed, NULL),
    P("cng-pt", P_UINT, cng_pt, "13"),
    P("rfc2833-pt", P_UINT, rfc2833_pt, "101"),
    P("dtmf-type", P_TEXT, dtmf_type, "rfc2833"),
    P("rtp-digit-delay", P_UINT, digit_gap_ms, "0"),
    P("dtmf-duration", P_UINT, dtmf_duration, "100"),
    P("liberal-dtmf", P_BOOL, has_liberal_dtmf, "false"),
    P("session-timeout", P_UINT, session_timeout_s, "0"),
    P("minimum-session-expires", P_UINT, min_session_expires_s, "120"),
    P("enable-timer", P_BOOL, has_timer, "true"),
    P("enable-100rel", P_BOOL, has_100rel, "false"),
    P("enable-3pcc", P_TEXT, offerless, "true"),
    P("user-agent-string", P_TEXT, user_agent, ""),
    P("username", P_TEXT, username, "FreeSWITCH"),
    P("contact-user", P_TEXT, contact_user, "mod_sofia"),
    P("caller-id-type", P_TEXT, caller_id_type, "rpid"),
    P("pass-callee-id", P_BOOL, passes_callee_id, "true"),
    P("cid-in-1xx", P_BOOL, has_cid_in_1xx, "true"),
    P("p-asserted-id-parse", P_TEXT, pai_parse, "default"),
    P("isup", P_TEXT, isup, "none"),
    P("proxy-info", P_BOOL, passes_info, "false"),
    P("proxy-info-content-types", P_TEXT, passed_info_types, ""),
    P("proxy-message", P_BOOL, passes_messages, "false"),
    P("redirecting-headers", P_TEXT, redirecting_headers, "none"),
    P("apply-identity-acl", P_LIST, identity_acl, ""),
    P("inbound-call-force-matching-username", P_TEXT, from_check, "false"),
    P("inbound-copy-headers", P_LIST, copy_headers, ""),
    P("parse-all-invite-headers", P_BOOL, parses_all_headers, "false"),
    P("full-id-in-dialplan", P_BOOL, has_full_id, "false"),
    P("auth-calls", P_BOOL, auths_calls, "false"),
    P("auth-calls-acl-only", P_BOOL, auths_calls_acl_only, "false"),
    P("auth-all-packets", P_BOOL, auths_all_packets, "false"),
    P("auth-messages", P_BOOL, auths_messages, "true"),
    P("disable-auth-messages", P_NOT, auths_messages, NULL),
    P("sip-messages-respond-200-ok", P_BOOL, says_200_to_messages, "false"),
    P("send-display-update", P_BOOL, sends_display_updates, "true"),
    P("refer-outside-of-calls", P_BOOL, takes_refer_outside, "false"),
    P("enable-join", P_BOOL, is_join_allowed, "false"),
    P("confirm-blind-transfer", P_BOOL, confirms_blind_transfers, "false"),
    P("disable-transfer", P_BOOL, has_disabled_transfer, "false"),
    P("message-rate-per-sender", P_UINT, messages_per_sender, "20"),
    P("auth-subscriptions", P_BOOL, auths_subscriptions, "true"),
    P("disable-auth-subscriptions", P_NOT, auths_subscriptions, NULL),
    P("auth-require-user", P_BOOL, requires_auth_user, "false"),
    P("accept-blind-reg", P_BOOL, accepts_blind_reg, "false"),
    P("accept-blind-auth", P_BOOL, accepts_blind_auth, "false"),
    P("log-auth-failures", P_BOOL, logs_auth_failures, "false"),
    P("allow-default-passwords", P_BOOL, allows_default_passwords, "false"),
    P("challenge-realm", P_TEXT, challenge_realm, "auto_to"),
    P("nonce-ttl", P_UINT, nonce_ttl_s, "60"),
    P("max-auth-validity", P_UINT, max_auth_validity, "0"),
    P("rfc8760-auth-algorithms", P_TEXT, auth_algorithms, "MD5"),
    P("authenticator", P_TEXT, authenticator, ""),
    P("authenticator-user", P_TEXT, authenticator_user, ""),
    P("apply-inbound-acl", P_LIST, inbound_acl, ""),
    P("apply-register-acl", P_LIST, register_acl, ""),
    P("apply-nat-acl", P_LIST, nat_acl, ""),
    P("apply-candidate-acl", P_LIST, candidate_acl, ""),
    P("turn-server", P_TEXT, turn_server, ""),
    P("turn-username", P_TEXT, turn_username, ""),
    P("turn-password", P_TEXT, turn_password, ""),
    P("turn-secret", P_TEXT, turn_secret, ""),
    P("turn-ca-file", P_TEXT, turn_ca_file, ""),
    P("turn-ready", P_UINT, turn_ready, "4"),
    P("apply-proxy-acl", P_LIST, proxy_acl, ""),
    P("local-network-acl", P_TEXT, local_network_acl, "localnet.auto"),
    P("disable-register", P_BOOL, has_register_off, "false"),
    P("inbound-reg-force-matching-username", P_BOOL, forces_matching_username, "false"),
    P("force-register-domain", P_TEXT, force_register_domain, ""),
    P("force-register-db-domain", P_TEXT, force_register_db_domain, ""),
    P("force-subscription-domain", P_TEXT, force_subscription_domain, ""),
    P("multiple-registrations", P_TEXT, multiple_registrations, "false"),
    P("max-registrations-per-extension", P_UINT, max_regs_per_extension, "0"),
    P("sip-force-expires", P_UINT, force_expires_s, "0"),
    P("sip-force-expires-min", P_UINT, force_expires_min_s, "0"),
    P("sip-force-expires-max", P_UINT, force_expires_max_s, "0"),
    P("min-expires", P_UINT, min_expires_s, "0"),
    P("sip-expires-max-deviation", P_UINT, expires_max_deviation_s, "0"),
    P("sip-expires-late-margin", P_UINT, expires_late_margin_s, "60"),
    P("NDLB-force-rport", P_TEXT, rport, ""),
    P("NDLB-broken-auth-hash", P_BOOL, has_broken_auth_hash, "false"),
    P("NDLB-received-in-nat-reg-contact", P_BOOL, tells_received, "false"),
    P("NDLB-expires-in-register-response", P_BOOL, tells_expires, "false"),
    P("tcp-keepalive", P_UINT, tcp_keepalive_ms, "0"),
    P("socket-tcp-keepalive", P_UINT, tcp_keepalive_ms, NULL),
    P("tcp-pingpong", P_UINT, tcp_pong_ms, "0"),
    P("ext-address-refresh", P_UINT, ext_refresh_s, "300"),
    P("aggressive-nat-detection", P_BOOL, is_aggressive_nat, "false"),
    P("tcp-always-nat", P_BOOL, has_tcp_always_nat, "false"),
    P("tls-always-nat", P_BOOL, has_tls_always_nat, "false"),
    P("tcp-unreg-on-socket-close", P_BOOL, unregs_on_socket_close, "false"),
    P("manage-presence", P_TEXT, manage_presence, "false"),
    P("presence-hosts", P_TEXT, presence_hosts, ""),
    P("presence-proto-lookup", P_BOOL, looks_presence_up, "false"),
    P("presence-privacy", P_BOOL, has_presence_privacy, "false"),
    P("presence-disable-early", P_BOOL, has_presence_early_off, "false"),
    P("presence-hold-state", P_TEXT, presence_hold_state, "early"),
    P("presence-dialog-partial", P_BOOL, is_dialog_partial, "false"),
    P("send-presence-on-register", P_TEXT, presence_on_register, "first-only"),
    P("presence-probe-on-register", P_BOOL, probes_on_register, "false"),
    P("manage-shared-appearance", P_BOOL, has_shared_lines, "false"),
    P("force-subscription-expires", P_UINT, force_sub_expires_s, "0"),
    P("force-publish-expires", P_UINT, force_publish_expires_s, "0"),
    P("sip-subscription-max-deviation", P_UINT, sub_max_deviation_s, "0"),
    P("max-subscriptions", P_UINT, max_subscriptions, "100000"),
    P("max-subscriptions-per-user", P_UINT, max_subscriptions_per_user, "500"),
    P("dbname", P_TEXT, dbname, ""),
    P("record-path", P_TEXT, record_path, ""),
    P("record-template", P_TEXT, record_template, ""),
    P("outbound-proxy", P_TEXT, outbound_proxy, ""),
    P("manual-redirect", P_BOOL, is_manual_redirect, "false"),
    P("inbound-use-callid-as-uuid", P_BOOL, uses_callid_as_uuid, "false"),
    P("outbound-use-uuid-as-callid", P_BOOL, uses_uuid_as_callid, "false"),
    P("auto-invite-100", P_BOOL, is_auto_100, "true"),
    P("max-calls", P_UINT, max_calls, "0"),
    P("max-proceeding", P_UINT, max_proceeding, "0"),
    P("max-recv-requests-per-second", P_UINT, max_rps, "0"),
    P("max-transactions-per-address", P_UINT, max_transactions_per_host, "10000"),
    P("user-agent-filter", P_TEXT, user_agent_filter, ""),
    P("drop-user-agents", P_LIST, drop_user_agents, ""),
    P("allow-methods-in", P_LIST, allow_methods_in, ""),
    P("deny-methods-in", P_LIST, deny_methods_in, ""),
    P("allow-methods-out", P_LIST, allow_methods_out, ""),
    P("deny-methods-out", P_LIST, deny_methods_out, ""),
    P("allow-headers-in", P_LIST, allow_headers_in, ""),
    P("deny-headers-in", P_LIST, deny_headers_in, ""),
    P("allow-headers-out", P_LIST, allow_headers_out, ""),
    P("deny-headers-out", P_LIST, deny_headers_out, ""),
    P("max-calls-per-address", P_UINT, max_calls_per_address, "0"),
    P("max-calls-per-user", P_UINT, max_calls_per_user, "0"),
    P("max-call-rate-per-address", P_UINT, max_call_rate_per_address, "0"),
    P("max-call-rate-per-user", P_UINT, max_call_rate_per_user, "0"),
    P("overload-delay", P_UINT, overload_ms, "30"),
    P("udp-answer-factor", P_UINT, udp_answer_factor, "3"),
    P("tcp-max-connections", P_UINT, tcp_max_conns, "10000"),
    P("tcp-max-connections-per-address", P_UINT, tcp_max_conns_per_host, "2000"),
    P("tcp-message-timeout", P_UINT, tcp_message_s, "10"),
    P("tcp-max-bytes", P_UINT, tcp_max_bytes, "67108864"),
    P("tcp-max-bytes-per-address", P_UINT, tcp_max_bytes_per_host, "8388608"),
    P("tcp-max-body-bytes-before-login", P_UINT, tcp_stranger_bytes, "65536"),
    P("trust-traceparent", P_BOOL, trusts_traceparent, "false"),
    P("stir-shaken-attest", P_TEXT, stir_attest, ""),
    P("stir-shaken-verify", P_TEXT, stir_verify, "off"),
    P("stir-shaken-verify-timeout", P_UINT, stir_timeout_ms, "2000"),
    P("debug", P_UINT, sip_trace_level, "0"),
    P("sip-trace", P_BOOL, has_sip_trace, "false"),
    P("sip-capture", P_BOOL, has_sip_capture, "false"),
    IGN("rtp-timer-name"),
    IGN("rtp-rewrite-timestamps"),
    IGN("rtp-autofix-timing"),
    IGN("rtp-autoflush-during-bridge"),
    IGN("rtp-notimer-during-bridge"),
    IGN("watchdog-enabled"),
    IGN("watchdog-step-timeout"),
    IGN("watchdog-event-timeout"),
    IGN("forward-unsolicited-mwi-notify"),
    IGN("enable-compact-headers"),
    IGN("pass-rfc2833"),
    IGN("renegotiate-codec-on-reinvite"),
    IGN("disable-srtp-auth"),
    IGN("auto-rtp-bugs"),
    IGN("manual-rtp-bugs"),
    IGN("odbc-dsn"),
    IGN("reuse-connections"),
    P("bind-attempts", P_UINT, bind_attempts, "2"),
    P("bind-attempt-interval", P_UINT, bind_interval_s, "5"),
    IGN("auto-restart"),
    P("send-message-query-on-register", P_TEXT, message_query, "first-only"),
    P("nat-options-ping", P_TEXT, nat_options_ping, "false"),
    P("all-reg-options-ping", P_BOOL, pings_all, "false"),
    P("unregister-on-options-fail", P_BOOL, unregs_on_options_fail, "false"),
    P("sip-user-ping-max", P_UINT, user_ping_max, "3"),
    P("sip-user-ping-min", P_UINT, user_ping_min, "1"),
    P("ping-mean-interval", P_UINT, ping_interval_s, "30"),
    P("ping-thread-frequency", P_UINT, ping_frequency_s, "1"),
    IGN("inbound-reg-in-new-thread"),
    IGN("registration-thread-frequency"),
    P("disable-srv", P_BOOL, has_no_srv, "false"),
    P("disable-naptr", P_BOOL, has_no_naptr, "false"),
    P("disable-srv503", P_BOOL, has_no_srv_503, "false"),
    P("udp-request-max-bytes", P_UINT, udp_max_bytes, "1300"),
    IGN("enable-chat"),
    IGN("fire-message-events"),
    IGN("NDLB-sendrecv-in-session"),
    IGN("NDLB-allow-bad-iananame"),
    IGN("allow-update"),
    IGN("track-calls"),
    IGN("apply-candidate-acl"),
    IGN("keepalive-method"),
    IGN("tcp-ping2pong"),
    IGN("t38-passthru"),
    IGN("rtcp-video-interval-msec"),
    IGN("pnp-provision-url"),
    IGN("alias"),
    IGN("enable-soa"),
};

static const struct param *param_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (!strcasecmp(params[i].name, name))
			return &params[i];
	return NULL;
}

static void text_set(char **field, const char *value)
{
	char *copy = mem_strdup(value);
	mem_free(*field);
	*field = copy;
}

static void list_add(char **field, const char *value)
{
	struct buf b;
	if (!strcasecmp(value, "none") || !*field || !**field) {
		text_set(field, strcasecmp(value, "none") ? value : "");
		return;
	}
	buf_init(&b);
	buf_printf(&b, "%s,%s", *field, value);
	mem_free(*field);
	*field = buf_take(&b);
}

static void param_set(struct profile_conf *c, const struct param *p, const char *value)
{
	void *field = (char *)c + p->at;
	uint32_t n = 0;
	switch (p->type) {
	case P_TEXT:
		text_set(field, value);
		break;
	case P_LIST:
		list_add(field, value);
		break;
	case P_BOOL:
	case P_NOT:
		*(bool *)field = str_is_true(value) == (p->type == P_BOOL);
		break;
	case P_UINT:
		if (sv_u32(sv_of(value), &n) == ST_OK)
			*(unsigned *)field = n;
		else if (!strcasecmp(value, "auto") || !*value || !strcasecmp(value, "false") ||
		         !strcasecmp(value, "no"))
			*(unsigned *)field = 0;
		else
			log_warning("sofia: profile %s: parameter %s: \"%s\" is no number", c->name, p->name, value);
		break;
	case P_IGNORED:
		break;
	}
}

bool profile_conf_set(struct profile_conf *c, const char *name, const char *value)
{
	const struct param *p = param_find(name);
	if (p)
		param_set(c, p, value);
	return p != NULL;
}

static void alias_add(struct profile_conf *c, const char *name)
{
	char **grown = mem_realloc(c->aliases, (c->alias_count + 1) * sizeof(*grown));
	if (!grown)
		return;
	c->aliases = grown;
	if ((grown[c->alias_count] = mem_strdup(name)))
		c->alias_count++;
}

static void names_parse(struct profile_conf *c, const struct xml_node *node)
{
	xml_each(xml_child(node, "aliases"), "alias", a) if (xml_attr(a, "name")) alias_add(c, xml_attr(a, "name"));
	xml_each(xml_child(node, "domains"), "domain", d)
	{
		const char *name = xml_attr(d, "name");
		if (!name || !str_is_true(xml_attr(d, "alias")))
			continue;
		if (!strcasecmp(name, "all"))
			c->aliases_all_domains = true;
		else
			alias_add(c, name);
	}
}

int profile_conf_parse(struct profile_conf *out, const struct xml_node *node)
{
	struct profile_conf c = {0};
	c.name = mem_strdup(xml_attr_or(node, "name", "default"));
	c.domain_attr = mem_strdup(xml_attr_or(node, "domain", ""));
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (params[i].fallback)
			param_set(&c, &params[i], params[i].fallback);
	xml_each(xml_child(node, "settings"), "param", p)
	{
		const char *name = xml_attr(p, "name"), *value = xml_attr_or(p, "value", "");
		if (name && !profile_conf_set(&c, name, value))
			log_debug("sofia: profile %s: parameter %s (%s:%u) is not known", c.name, name,
			    p->file ? p->file : "", p->line);
	}
	names_parse(&c, node);
	enum media_source_mode mode;
	if (!media_source_mode_parse(c.rtp_source, &mode)) {
		log_error("sofia: profile %s: rtp-source \"%s\" is none of strict, nat, off; it is strict now", c.name,
		    c.rtp_source);
		text_set(&c.rtp_source, "strict");
	}
	if (!*c.inbound_codecs)
		text_set(&c.inbound_codecs, c.codec_prefs);
	if (!*c.outbound_codecs)
		text_set(&c.outbound_codecs, *c.codec_prefs ? c.codec_prefs : c.inbound_codecs);
	if (c.nonce_ttl_s < 60)
		c.nonce_ttl_s = 60;
	if (c.is_nomedia) /* the called phone's answer decides */
		c.is_late_negotiation = true;
	if (c.is_cng_suppressed)
		c.cng_pt = 0;
	*out = c;
	return ST_OK;
}

void profile_conf_fini(struct profile_conf *c)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (params[i].fallback && (params[i].type == P_TEXT || params[i].type == P_LIST))
			mem_free(*(char **)((char *)c + params[i].at));
	for (size_t i = 0; i < c->alias_count; i++)
		mem_free(c->aliases[i]);
	mem_free(c->aliases);
	mem_free(c->name);
	mem_free(c->domain_attr);
	memset(c, 0, sizeof(*c));
}

/* What sockets, the stack and the digest server were made with. */
static bool is_fixed(const char *name)
{
	static const char *const names[] = {"sip-ip", "rtp-ip", "ext-sip-ip", "ext-rtp-ip", "ext-sip-port", "sip-port",
	    "bind-params", "tls", "tls-only", "tls-bind-params", "tls-sip-port", "tls-orq-connect-timeout",
	    "ws-binding", "wss-binding", "ws-origins", "timer-T1", "timer-T1X64", "timer-T2", "timer-T4",
	    "enable-timer", "enable-100rel", "user-agent-string", "contact-user", "nonce-ttl",
	    "rfc8760-auth-algorithms", "dbname", "max-transactions-per-address", "overload-delay", "udp-answer-factor",
	    "tcp-max-connections", "tcp-max-connections-per-address", "tcp-message-timeout", "tcp-max-bytes",
	    "tcp-max-bytes-per-address", "tcp-max-body-bytes-before-login", "disable-srv", "disable-naptr",
	    "disable-srv503", "udp-request-max-bytes", "NDLB-force-rport", "tcp-keepalive", "socket-tcp-keepalive",
	    "tcp-pingpong"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (!strcasecmp(names[i], name))
			return true;
	return false;
}

static void swap_bytes(void *a, void *b, size_t n)
{
	char t[sizeof(char *)];
	memcpy(t, a, n), memcpy(a, b, n), memcpy(b, t, n);
}

void profile_conf_adopt(struct profile_conf *running, struct profile_conf *fresh)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++) {
		const struct param *p = &params[i];
		if (!p->fallback || !is_fixed(p->name))
			continue;
		size_t n = p->type == P_UINT                       ? sizeof(unsigned)
		           : p->type == P_BOOL || p->type == P_NOT ? sizeof(bool)
		                                                   : sizeof(char *);
		swap_bytes((char *)running + p->at, (char *)fresh + p->at, n);
	}
	swap_bytes(&running->name, &fresh->name, sizeof(char *));
	profile_conf_fini(running);
	*running = *fresh;
	memset(fresh, 0, sizeof(*fresh));
}

enum multi_reg profile_conf_multi_reg(const struct profile_conf *c)
{
	if (!strcasecmp(c->multiple_registrations, "call-id"))
		return MULTI_REG_CALL_ID;
	if (!strcasecmp(c->multiple_registrations, "contact") || str_is_true(c->multiple_registrations))
		return MULTI_REG_CONTACT;
	return MULTI_REG_NONE;
}

enum media_source_mode profile_conf_source_mode(const struct profile_conf *c)
{
	enum media_source_mode mode = MEDIA_SOURCE_STRICT;
	if (!c->has_rtp_auto_adjust_off)
		(void)media_source_mode_parse(c->rtp_source, &mode);
	return mode;
}

bool profile_conf_has_presence(const struct profile_conf *c)
{
	return str_is_true(c->manage_presence) || !strcasecmp(c->manage_presence, "passive");
}

unsigned profile_conf_media_timeout_ms(const struct profile_conf *c, bool is_hold)
{
	unsigned ms = is_hold ? c->media_hold_timeout_ms : c->media_timeout_ms;
	unsigned s = is_hold ? c->rtp_hold_timeout_s : c->rtp_timeout_s;
	return ms ? ms : clock_ms_of_s(s);
}

enum media_dtmf_type profile_conf_dtmf_type(const struct profile_conf *c)
{
	if (!strcasecmp(c->dtmf_type, "info"))
		return MEDIA_DTMF_OWN;
	return strcasecmp(c->dtmf_type, "none") ? MEDIA_DTMF_EVENTS : MEDIA_DTMF_TONES;
}

bool profile_conf_has_media_option(const struct profile_conf *c, const char *name)
{
	struct sv one, rest = sv_of(c->media_options);
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (sv_isi(sv_trim(one), name))
			return true;
	}
	return false;
}

enum offerless_mode profile_conf_offerless(const struct profile_conf *c)
{
	if (!strcasecmp(c->offerless, "proxy"))
		return OFFERLESS_PROXY;
	return str_is_true(c->offerless) ? OFFERLESS_OFFER : OFFERLESS_REFUSE;
}

enum cid_type profile_conf_cid_type(const struct profile_conf *c)
{
	if (!strcasecmp(c->caller_id_type, "pid"))
		return CID_PID;
	return strcasecmp(c->caller_id_type, "none") ? CID_RPID : CID_NONE;
}

/* FreeSWITCH's words: true, safe, disabled, client-only (its default), server-only. */
enum sip_rport profile_conf_rport(const struct profile_conf *c, bool *has_own)
{
	*has_own = strcasecmp(c->rport, "disabled") && strcasecmp(c->rport, "server-only");
	if (!strcasecmp(c->rport, "disabled"))
		return SIP_RPORT_NEVER;
	if (!strcasecmp(c->rport, "safe"))
		return SIP_RPORT_SAFE;
	return str_is_true(c->rport) ? SIP_RPORT_ALWAYS : SIP_RPORT_ASKED;
}

enum from_check profile_conf_from_check(const struct profile_conf *c)
{
	if (!strcasecmp(c->from_check, "replace"))
		return FROM_REPLACE;
	return !strcasecmp(c->from_check, "reject") || str_is_true(c->from_check) ? FROM_REJECT : FROM_FREE;
}

bool profile_param_is_known(const char *name)
{
	return param_find(name) != NULL;
}

void profile_conf_each(void (*fn)(const char *name, const char *type, const char *fallback, void *arg), void *arg)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (params[i].type != P_IGNORED)
			fn(params[i].name, type_names[params[i].type], params[i].fallback, arg);
}
