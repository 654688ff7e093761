"""The registry of action kinds: what an agent can do, and what that can do to the world.

The kinds, their risk classes, key dimensions and tool prefixes are those of the protocol's registry
0.1.26. Data only; `runcycles.ledger.authority` decides what a policy makes of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from runcycles.types import CLOSED, RiskClass

REGISTRY_VERSION: Final = "0.1.26"
UNMAPPED: Final = "unknown.call"
"""The kind of tools that nobody has mapped."""
CUSTOM_PREFIX: Final = "custom."
"""Kinds that begin so are an operator's own, and have to be declared before they are used."""

PolicyKeySpec = Mapping[str, bool | str]
"""Which policy keys a kind has; of `resource_type` it says what type of resource is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionKind:
    """One kind of action, as the registry describes it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CLOSED

    kind: str
    risk_class: RiskClass
    policy_key_spec: PolicyKeySpec | None = None
    description: str | None = None
    mcp_tool_prefixes: tuple[str, ...] = ()
    deprecated: bool = False
    replacement_kind: str | None = None


_CLASSES: Final = {
    "RO": RiskClass.READ_ONLY,
    "LM": RiskClass.LOCAL_MUTATION,
    "SE": RiskClass.SIDE_EFFECT,
    "XE": RiskClass.EXTERNAL_SIDE_EFFECT,
    "HR": RiskClass.HIGH_RISK,
}

# A kind, its class and its policy keys; below it what it is, and the prefixes of its tools' names.
_REGISTRY: Final = """
llm.completion                SE
    Let a language model write text or continue a chat
    llm_ chat_ complete_ openai_chat anthropic_ generate_text
llm.embedding                 RO
    Turn text into a vector
    embed_ embedding_ openai_embed get_embedding encode_text
llm.structured_output         SE  host
    Let a language model fill a schema or choose a function call
    structured_output json_mode function_call
agent.spawn                   SE
    Start another agent
    spawn_agent create_agent fork_agent new_agent
agent.delegate                SE  host
    Give a task away to another agent
    delegate_ handoff_ assign_agent route_to_agent
agent.message                 SE
    Send something to another agent
    send_to_agent agent_message a2a_send inter_agent
agent.human_escalation        XE  recipient_domain
    Ask a person, and wait for the answer
    escalate_ human_review request_approval ask_human
web.search                    RO
    Look something up on the web
    search_ web_search search
http.get                      RO  host
    Read from a URL
    http_get fetch_url get_url
http.post                     XE  host
    Send data to a URL
    http_post post_url call_api api_call
http.put                      XE  host
    Replace or patch what is behind a URL
    http_put http_patch update_api
http.delete                   XE  host
    Delete what is behind a URL
    http_delete delete_api
http.graphql                  SE  host
    Ask a GraphQL endpoint, which may also change something
    graphql_ gql_query gql_mutate
message.email.send            XE  host recipient_domain
    Send an e-mail
    send_email email_ smtp_ sendgrid_
message.slack.post            XE  host
    Post to Slack
    slack_ post_slack send_slack
message.sms.send              XE  recipient_domain
    Send a text message to a phone
    send_sms sms_ twilio_
message.chat.post             XE  host
    Post to Teams, Discord or another chat
    teams_ discord_ mattermost_ chat_send post_message
db.query                      RO  resource_type=table
    Read from a SQL database
    db_query query_db sql_query select_
db.write                      SE  resource_type=table
    Insert, update or delete rows of a SQL database
    db_write db_insert db_update db_delete sql_write
db.schema_change              HR  resource_type=table
    Create, alter or drop tables
    db_migrate alter_table create_table drop_table
crm.record.read               RO  resource_type=object_type
    Read a record of the CRM
    get_contact get_lead crm_read salesforce_get
crm.record.write              SE  resource_type=object_type
    Create or change a record of the CRM
    create_contact update_contact crm_write salesforce_create
crm.record.delete             XE  resource_type=object_type
    Delete a record of the CRM
    delete_contact crm_delete salesforce_delete
file.read                     RO  path_prefix
    Read a file
    read_file file_read get_file open_file
file.write                    LM  path_prefix
    Write a file
    write_file file_write create_file save_file
file.delete                   SE  path_prefix
    Delete a file
    delete_file file_delete remove_file
code.exec                     HR  path_prefix
    Run code or a shell command
    exec_ run_code python_exec bash_exec js_exec
code.deploy                   HR  host
    Put code into production
    deploy_ code_publish vercel_deploy lambda_deploy
code.lint                     RO  path_prefix
    Examine code without running it
    lint_ check_code type_check static_analysis
vector.query                  RO  resource_type=collection
    Find what is similar in a vector store
    vector_search similarity_search pinecone_query
vector.upsert                 SE  resource_type=collection
    Put vectors into a vector store
    vector_upsert embed_and_store pinecone_upsert
vector.delete                 SE  resource_type=collection
    Remove vectors from a vector store
    vector_delete pinecone_delete remove_embedding delete_vectors
memory.read                   RO  resource_type=store
    Recall what an agent has kept, or retrieve passages for it
    memory_read recall_ retrieve_memory rag_query knowledge_search
memory.write                  LM  resource_type=store
    Keep something in an agent's memory
    memory_write memorize_ store_memory rag_ingest knowledge_store
memory.delete                 SE  resource_type=store
    Make an agent's memory forget something
    memory_delete forget_ clear_memory rag_delete
reasoning.plan                SE
    Break a task into steps with a model
    plan_ create_plan decompose_ reason_
reasoning.reflect             SE
    Let a model judge and improve its own work
    reflect_ self_evaluate critique_ review_output
calendar.read                 RO  host
    Look at a calendar
    get_calendar list_events check_availability
calendar.write                XE  host
    Create or change an appointment
    create_event update_event schedule_meeting
payment.charge                HR  host
    Take money from somebody
    charge_ payment_ stripe_charge process_payment
payment.refund                HR  host
    Give money back to somebody
    refund_ issue_refund stripe_refund
image.generate                XE  host
    Make an image
    generate_image create_image dalle_ image_gen text_to_image
image.edit                    XE  host
    Change an image
    edit_image inpaint_ outpaint_ image_edit
video.generate                HR  host
    Make a video
    generate_video create_video text_to_video runway_
video.transcode               SE  host path_prefix
    Convert a video to another format
    transcode_ encode_video ffmpeg_
audio.generate                XE  host
    Make speech or music
    generate_audio text_to_speech tts_ elevenlabs_
audio.transcribe              RO  host
    Write down what is said in a recording
    transcribe_ speech_to_text whisper_ deepgram_
vision.analyze                SE  host
    Say what an image shows
    analyze_image vision_ describe_image image_understand gpt4v_
vision.ocr                    SE  host
    Read the text in an image
    ocr_ extract_text read_document document_ocr
vision.parse_document         SE  host path_prefix
    Read the fields and tables of a document
    parse_document extract_form pdf_extract document_parse parse_pdf
social.post.create            XE  host
    Publish on a social network
    post_tweet create_post publish_ tweet_ linkedin_post
social.post.delete            XE  host
    Take a publication off a social network
    delete_post delete_tweet remove_post
social.dm.send                XE  host recipient_domain
    Send a private message on a social network
    send_dm send_message dm_ direct_message
notification.push.send        XE  host
    Send a push notification
    send_push push_notification fcm_ apns_ notify_
notification.webhook.trigger  XE  host
    Call a webhook that somebody registered
    trigger_webhook send_webhook webhook_notify
storage.upload                SE  host path_prefix
    Put an object into storage
    upload_file s3_put gcs_upload blob_upload
storage.download              RO  host path_prefix
    Fetch an object from storage
    download_file s3_get gcs_download blob_download
storage.delete                SE  host path_prefix
    Delete an object from storage
    delete_object s3_delete gcs_delete blob_delete
document.create               SE  host
    Create a shared document
    create_doc create_document new_page notion_create
document.edit                 SE  host
    Change a shared document
    edit_doc update_document modify_page notion_update gdocs_edit
document.share                XE  host recipient_domain
    Let somebody else see a document
    share_doc share_document grant_access set_permissions
unknown.call                  SE
    A tool that nobody has mapped to a kind
"""


def _kinds(registry: str) -> Iterator[ActionKind]:
    lines = registry.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if not line.startswith(" ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        kind, risk, *keys = lines[start].split()
        description, *prefixes = (line.strip() for line in lines[start + 1 : end])
        spec = {name: value or True for name, _, value in (key.partition("=") for key in keys)}
        yield ActionKind(
            kind=kind,
            risk_class=_CLASSES[risk],
            policy_key_spec=spec or None,
            description=description,
            mcp_tool_prefixes=tuple(prefixes[0].split()) if prefixes else (),
        )


ACTION_KINDS: Final[Mapping[str, ActionKind]] = MappingProxyType(
    {found.kind: found for found in _kinds(_REGISTRY)}
)
"""Every registered kind by its name, in the order of the registry."""

_BY_PREFIX: Final = {
    prefix: found.kind for found in ACTION_KINDS.values() for prefix in found.mcp_tool_prefixes
}
_LONGEST_PREFIX: Final = max(map(len, _BY_PREFIX))


def risk_class_of(kind: str) -> RiskClass:
    """The class of a kind; one that is not registered counts as a side effect."""
    found = ACTION_KINDS.get(kind)
    return RiskClass.SIDE_EFFECT if found is None else found.risk_class


def kind_of_tool(name: str) -> str:
    """The kind of an MCP tool by its name: the one with the longest prefix, else `unknown.call`."""
    for end in range(_LONGEST_PREFIX, 0, -1):
        if (kind := _BY_PREFIX.get(name[:end])) is not None:
            return kind
    return UNMAPPED
