/* What a <profile> of sofia.conf says, read once into a typed struct. Names and defaults are FreeSWITCH's. Pure but for
 * log lines. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "core/sound/media.h"
#include "sip/sip.h"

struct xml_node;

enum multi_reg { MULTI_REG_NONE, MULTI_REG_CONTACT, MULTI_REG_CALL_ID };
/* What becomes of an INVITE without SDP (enable-3pcc). */
enum offerless_mode { OFFERLESS_OFFER /* answered with our offer at once */, OFFERLESS_PROXY, OFFERLESS_REFUSE };
enum cid_type { CID_RPID, CID_PID, CID_NONE };
/* What happens to a caller whose From is not his account's. */
enum from_check { FROM_FREE, FROM_REJECT, FROM_REPLACE };

struct profile_conf {
	char *name, *domain_attr;
	/* addresses; "" or NULL = not given */
	char *sip_ip, *rtp_ip, *ext_sip_ip, *ext_rtp_ip, *sip_domain, *bind_params;
	unsigned sip_port, ext_sip_port;
	bool has_tls, is_tls_only, tls_checks_date;
	unsigned tls_port, tls_depth, tls_timeout_s, tls_connect_ms;
	char *tls_bind_params, *tls_cert_dir, *tls_passphrase, *tls_verify_policy, *tls_in_subjects, *tls_ciphers,
	    *tls_version;
	char *ws_binding, *wss_binding, *ws_origins /* list */;
	bool has_no_naptr, has_no_srv, has_no_srv_503;
	unsigned udp_max_bytes;
	/* calls */
	char *dialplan, *context, *inbound_codecs, *outbound_codecs, *codec_prefs, *negotiation, *hold_music, *username,
	    *user_agent, *contact_user, *caller_id_type, *outbound_proxy, *dtmf_type, *record_path, *record_template,
	    *from_check, *copy_headers /* list */, *pai_parse, *isup, *passed_info_types, *redirecting_headers,
	    *identity_acl /* list */;
	bool is_late_negotiation, has_full_id, uses_callid_as_uuid, uses_uuid_as_callid, parses_all_headers,
	    is_auto_100, has_disabled_hold, is_manual_redirect, has_disabled_transcoding, passes_callee_id,
	    has_cid_in_1xx, passes_info, passes_messages;
	/* border.c: lists */
	char *allow_methods_in, *deny_methods_in, *allow_headers_in, *deny_headers_in, *allow_methods_out,
	    *deny_methods_out, *allow_headers_out, *deny_headers_out, *drop_user_agents, *user_agent_filter;
	unsigned max_calls_per_address, max_calls_per_user, max_call_rate_per_address, max_call_rate_per_user;
	unsigned overload_ms; /* overload-delay */
	unsigned max_calls, max_proceeding, max_rps, max_transactions_per_host, udp_answer_factor;
	unsigned bind_attempts, bind_interval_s; /* while the port is in use */
	unsigned tcp_max_conns, tcp_max_conns_per_host, tcp_message_s, tcp_max_bytes, tcp_max_bytes_per_host,
	    tcp_stranger_bytes;
	unsigned session_timeout_s, min_session_expires_s;
	bool has_timer, has_100rel;
	char *offerless;     /* enable-3pcc */
	char *media_options; /* list */
	/* media */
	unsigned rfc2833_pt, cng_pt, rtp_timeout_s, rtp_hold_timeout_s, media_timeout_ms, media_hold_timeout_ms,
	    dtmf_duration;
	char *rtp_source, *jitterbuffer, *vad, *bitpacking;
	char *turn_server, *turn_username, *turn_password, *turn_secret, *turn_ca_file;
	unsigned turn_ready;
	unsigned rtcp_interval_ms, digit_gap_ms;
	bool passes_zrtp;
	bool is_cng_suppressed, has_rtp_auto_adjust_off, has_liberal_dtmf, is_nomedia, is_proxy_media,
	    is_secure_required;
	/* authentication */
	bool auths_calls, auths_all_packets, auths_messages, auths_subscriptions, requires_auth_user, accepts_blind_reg,
	    accepts_blind_auth, logs_auth_failures, allows_default_passwords, auths_calls_acl_only,
	    says_200_to_messages, is_join_allowed, takes_refer_outside, sends_display_updates, confirms_blind_transfers,
	    has_disabled_transfer;
	unsigned messages_per_sender; /* a second; 0 = any */
	char *challenge_realm, *auth_algorithms, *authenticator /* "": the directory */,
	    *authenticator_user /* "": none */;
	unsigned nonce_ttl_s, max_auth_validity;
	char *inbound_acl, *register_acl, *nat_acl, *candidate_acl, *proxy_acl,
	    *local_network_acl; /* lists, comma-separated */
	/* registrar */
	bool has_register_off, forces_matching_username;
	char *multiple_registrations, *force_register_domain, *force_register_db_domain, *force_subscription_domain,
	    *presence_hosts, *dbname, *manage_presence, *message_query /* "first-only", else a boolean */,
	    *presence_hold_state, *presence_on_register /* "first-only", else a boolean */;
	unsigned force_sub_expires_s, force_publish_expires_s, sub_max_deviation_s, max_subscriptions,
	    max_subscriptions_per_user;
	bool has_shared_lines, looks_presence_up, has_presence_privacy, has_presence_early_off, is_dialog_partial,
	    probes_on_register;
	unsigned max_regs_per_extension, force_expires_s, force_expires_min_s, force_expires_max_s, min_expires_s,
	    expires_max_deviation_s, expires_late_margin_s;
	char *nat_options_ping; /* a boolean, or udp-only */
	bool pings_all, unregs_on_options_fail;
	unsigned ping_interval_s, ping_frequency_s, user_ping_max, user_ping_min;
	bool is_aggressive_nat, has_tcp_always_nat, has_tls_always_nat, unregs_on_socket_close;
	bool has_broken_auth_hash;
	bool tells_received /* NDLB-received-in-nat-reg-contact */,
	    tells_expires /* NDLB-expires-in-register-response */;
	char *rport; /* NDLB-force-rport */
	unsigned tcp_keepalive_ms, tcp_pong_ms, ext_refresh_s;
	bool trusts_traceparent; /* a caller's trace is gone on with (W3C Trace Context) */
	/* STIR/SHAKEN: attestation of what goes out; off, mark, reject, require of what comes in */
	char *stir_attest, *stir_verify;
	unsigned stir_timeout_ms;
	/* timers */
	unsigned t1_ms, t1x64_ms, t2_ms, t4_ms;
	unsigned sip_trace_level;
	bool has_sip_trace, has_sip_capture;
	/* names under which the profile is also known (aliases, domains) */
	char **aliases;
	size_t alias_count;
	bool aliases_all_domains;
};

/* Never NULL strings for what has a default. node may be NULL (defaults only). */
ANY int profile_conf_parse(struct profile_conf *out, const struct xml_node *node);
ANY void profile_conf_fini(struct profile_conf *c);
/* What a running profile may change: all of fresh (taken) but addresses, ports, timers and the like, which stay. */
ANY void profile_conf_adopt(struct profile_conf *running, struct profile_conf *fresh);
ANY enum multi_reg profile_conf_multi_reg(const struct profile_conf *c);
/* Whose RTP is taken: rtp-source, or strict where disable-rtp-auto-adjust says so. */
ANY enum media_source_mode profile_conf_source_mode(const struct profile_conf *c);
ANY bool profile_conf_has_presence(const struct profile_conf *c); /* manage-presence: true or passive */
/* Without RTP a call ends after it: media_timeout, else rtp-timeout-sec; 0 = never. */
ANY unsigned profile_conf_media_timeout_ms(const struct profile_conf *c, bool is_hold);
ANY enum media_dtmf_type profile_conf_dtmf_type(const struct profile_conf *c);
ANY bool profile_conf_has_media_option(const struct profile_conf *c, const char *name);
ANY enum offerless_mode profile_conf_offerless(const struct profile_conf *c);
ANY enum cid_type profile_conf_cid_type(const struct profile_conf *c);
ANY enum sip_rport profile_conf_rport(const struct profile_conf *c, bool *has_own /* our requests ask for it */);
ANY enum from_check profile_conf_from_check(const struct profile_conf *c);
/* One parameter by name; false when it is unknown. */
ANY bool profile_conf_set(struct profile_conf *c, const char *name, const char *value);
/* For docs: calls fn for each known parameter with its type and default. */
ANY bool profile_param_is_known(const char *name); /* also one that is read and ignored */
ANY void profile_conf_each(void (*fn)(const char *name, const char *type, const char *fallback, void *arg), void *arg);
