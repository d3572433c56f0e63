From: "${voicemail_caller_id_name}" <${voicemail_caller_id_number}@${voicemail_domain}>
To: ${voicemail_notify_email}
Subject: Voice message from "${voicemail_caller_id_name}" (${voicemail_caller_id_number}), ${voicemail_message_len}

Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 7bit

A message was left for ${voicemail_account}@${voicemail_domain}.

From:     ${voicemail_caller_id_name} (${voicemail_caller_id_number})
When:     ${voicemail_time}
Length:   ${voicemail_message_len}
New now:  ${voicemail_total_new_messages}
