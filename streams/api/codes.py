"""Every code that a problem may have: what it means, and what to do. Each has a page at /problems/CODE."""

from typing import NamedTuple


class Meaning(NamedTuple):
    """A code's HTTP status, its title, what to do, and whether the same request may work later."""

    status: int
    title: str
    text: str
    retryable: bool = False


CODES: dict[str, Meaning] = {
    "malformed_request": Meaning(400, "The request cannot be read", "`field` names the part; `detail` says why."),
    "tenant_required": Meaning(
        400, "Say for which tenant", "The key opens several tenants. Name one in the header `Packshot-Tenant`."
    ),
    "bad_cursor": Meaning(
        422, "No cursor of ours", "Take `next` of the answer before as it is, with the same filters."
    ),
    "bad_idempotency_key": Meaning(400, "No idempotency key", "It has 1 to 255 printable ASCII characters."),
    "hook_malformed": Meaning(400, "No hook of this shop", "`detail` says what is missing in it."),
    "hook_stale": Meaning(
        400, "The hook is too old", "It may be somebody's repeat. The sweep finds what it was about."
    ),
    "hook_signature": Meaning(
        401, "The hook is not signed by the shop", "Compare the secret of the connector with that of the shop."
    ),
    "key_required": Meaning(
        401, "A key is needed", "Send `Authorization: Bearer psk_…`. `packshot keys create` makes one."
    ),
    "key_unknown": Meaning(
        401, "The key opens nothing", "It is mistyped, revoked or over. `packshot keys list` shows which are valid."
    ),
    "scope_missing": Meaning(403, "The key may not do this", "Make one with the scope that `detail` names."),
    "tenant_forbidden": Meaning(403, "The key is not for this tenant", "`packshot keys list` shows for which it is."),
    "not_found": Meaning(404, "There is nothing here", "See /docs for what there is."),
    "unknown_product": Meaning(404, "No such product", "The tenant has no product with this SKU, or not yet."),
    "unknown_campaign": Meaning(404, "No such campaign", "The tenant has no campaign of this name, or not yet."),
    "unknown_review": Meaning(404, "No such review", "The tenant has no review with this id."),
    "unknown_case": Meaning(404, "No such case", "The tenant has no review case with this id."),
    "unknown_picture": Meaning(404, "No such picture", "It is none of the case's, or not kept any more."),
    "unknown_letter": Meaning(404, "No such dead letter", "The tenant has no dead letter with this id."),
    "unknown_connector": Meaning(404, "No such connector", "`packshot connectors list` tells which there are."),
    "unknown_endpoint": Meaning(404, "No such webhook", "GET /v1/webhooks tells which endpoints the tenant has."),
    "unknown_job": Meaning(
        404, "No such job", "The tenant has no job with this id, or none any more: ask for it anew."
    ),
    "unknown_upload": Meaning(
        404, "No such upload", "The tenant has put no file for this id, or nobody used it for long: put it again."
    ),
    "unknown_code": Meaning(404, "No such code", "See /problems for all of them."),
    "method_not_allowed": Meaning(405, "Not this method here", "See /docs for which there are."),
    "not_acceptable": Meaning(406, "Not in this media type", "See /docs for which there are."),
    "version_conflict": Meaning(
        409, "The version is known with other content, or a newer one is known", "Send a higher `version`, or none."
    ),
    "endpoint_exists": Meaning(
        409,
        "The URL is told of these events already",
        "Use the endpoint that `detail` names; a rotation shows a secret.",
    ),
    "rotation_running": Meaning(409, "A rotation is not over", "Wait until the secret before the last is over."),
    "no_secret": Meaning(409, "The endpoint has no valid secret", "Remove it, and add it anew."),
    "review_closed": Meaning(409, "The review is decided already, or over", "GET it again to see how it stands."),
    "case_claimed": Meaning(
        409, "Somebody else has the case", "`detail` says who. Take another, or ask again in a minute.", retryable=True
    ),
    "said_before": Meaning(
        409,
        "You said what you think of the case",
        "Two people decide on it, and a third where they differ: others have to.",
    ),
    "two_people": Meaning(409, "One person may not decide on it", "Decide on the case that `detail` names."),
    "claim_lost": Meaning(409, "The claim has ended", "Claim the case again: somebody else may have it by now."),
    "redone_before": Meaning(409, "It was made so before", "Ask for other parameters."),
    "idempotency_in_progress": Meaning(
        409, "The first request with this key is still at work", "Ask again in a moment.", retryable=True
    ),
    "precondition_failed": Meaning(
        412, "It changed meanwhile", "`If-Match` names another version than the newest: GET it, and decide again."
    ),
    "body_too_large": Meaning(413, "The body is too large", "Send less at once; NDJSON has no bound but its lines'."),
    "record_too_large": Meaning(413, "The event is too large", "An event has at most a little less than 1 MiB."),
    "unsupported_media_type": Meaning(415, "Not in this media type", "`detail` names those that there are."),
    "invalid_event": Meaning(
        422, "The event is not well formed", "`errors` names every wrong field; see /docs for what each may be."
    ),
    "unknown_channel": Meaning(422, "No such channel", "GET /v1/channels tells which there are."),
    "output_refused": Meaning(
        422, "The content policy refuses what was made", "`detail` names the rule. It counts as no accepted picture."
    ),
    "policy_refused": Meaning(
        422, "The content policy refuses the text", "`detail` names the rule and the words; nothing was made or billed."
    ),
    "unknown_source": Meaning(404, "No such photograph", "Nobody has noted which one the case is about."),
    "unkept_text": Meaning(
        422, "The text is in no record", "It is longer than any of ours, or holds a NUL or half a character."
    ),
    "unknown_recipe": Meaning(422, "No such recipe", "GET /v1/recipes tells which there are."),
    "unknown_asset": Meaning(422, "No such asset", "GET /v1/products/SKU/assets tells which there are."),
    "bad_recipe": Meaning(422, "The recipe is refused by today's rules", "`detail` says which rule."),
    "bad_channel": Meaning(422, "The channel's rules cannot be read", "Tell whoever runs this system."),
    "bad_retouch": Meaning(422, "The strokes cannot be read", "`detail` names the field."),
    "bad_parameters": Meaning(422, "A parameter is not one of the operation's", "`detail` names it."),
    "source_not_allowed": Meaning(
        422,
        "The source is not to be fetched",
        "An address begins with https://, http:// or s3://. Files are taken only from PACKSHOT_SOURCE_FILE_ROOTS.",
    ),
    "bad_url": Meaning(422, "No URL for a webhook", "It is an https:// address without user name and password."),
    "private_address": Meaning(
        422, "The address is not on the public internet", "Whoever runs the system may allow its network."
    ),
    "unknown_event": Meaning(422, "No such event", "`detail` names those that there are."),
    "too_many_endpoints": Meaning(422, "The tenant has as many webhooks as it may", "Remove one first."),
    "upload_mismatch": Meaning(
        422, "The file is another than was said", "Its size and SHA-256 are fixed in the upload's id: make a new one."
    ),
    "idempotency_mismatch": Meaning(
        422, "The key was used for another request", "Take a new `Idempotency-Key` for a new request."
    ),
    "refused": Meaning(422, "Refused", "`detail` says why."),
    "letter_gone": Meaning(422, "The letter cannot go back", "Its record was removed from its topic meanwhile."),
    "no_origin": Meaning(422, "The letter cannot go back", "It came from no topic of ours."),
    "quota_exceeded": Meaning(
        429, "Too many requests", "Wait for as long as `Retry-After` says. Reading costs nothing.", retryable=True
    ),
    "unexpected": Meaning(
        500, "Something broke that nobody foresaw", "Ask once more; then tell us `trace_id`.", retryable=True
    ),
    "unavailable": Meaning(
        503, "A part of the system is away", "Nothing is lost. Ask again after `Retry-After`.", retryable=True
    ),
    "hook_key_unknown": Meaning(
        503, "The hook is signed with a key that is not known yet", "The next sweep asks for it.", retryable=True
    ),
    "over_capacity": Meaning(
        503,
        "It would not be made before its deadline",
        "Nothing was begun, and nothing is charged. Ask again after `Retry-After`, or with a longer `Cancel-After`.",
        retryable=True,
    ),
    "too_late": Meaning(
        504,
        "The deadline had passed before the work began",
        "Nothing was made, and nothing is charged. Ask again, or for more time with `Cancel-After`.",
        retryable=True,
    ),
    "no_answer": Meaning(503, "No worker answered", "Ask again: what was made meanwhile is known.", retryable=True),
    "not_made": Meaning(503, "It could not be made now", "`detail` says why. Ask again.", retryable=True),
    "job_lost": Meaning(503, "The job is lost", "Ask for it anew: what was made of it is known.", retryable=True),
    "not_acknowledged": Meaning(
        503,
        "The broker did not take it in time",
        "It may have arrived all the same: the same request again does no harm. Ask again after `Retry-After`.",
        retryable=True,
    ),
    # Of a photograph, and of what is made of it: the failures that workers tell, by their codes.
    "source_bad_uri": Meaning(422, "No address of a photograph", "It is https://host/…, s3://bucket/key or an upload."),
    "source_not_found": Meaning(422, "The photograph is not there", "Look whether the address still leads to it."),
    "source_forbidden": Meaning(
        422,
        "The photograph may not be fetched",
        "Its server refuses us (401, 403), or whoever runs this system does not allow its folder or bucket.",
    ),
    "source_private_address": Meaning(
        422,
        "The photograph is not on the public internet",
        "Its host, or one it redirects to, has an address inside. Whoever runs this system may allow its network "
        "(PACKSHOT_SOURCE_PRIVATE_NETWORKS); else send the file itself.",
    ),
    "source_refused": Meaning(422, "Its server does not give the photograph", "`detail` says what it answered."),
    "source_too_large": Meaning(422, "The photograph's file is too large", "`detail` says how large one may be."),
    "source_digest_mismatch": Meaning(
        422, "It is another file than was said", "Its SHA-256 is not that of `source.sha256`: say the new one."
    ),
    "source_not_an_image": Meaning(
        422, "It is no picture", "By its content it is none of the formats that we read; its name does not matter."
    ),
    "source_truncated": Meaning(422, "The photograph ends too early", "Its file was cut off: send the whole."),
    "source_corrupt": Meaning(422, "The photograph is damaged", "Save it anew, and look whether it opens."),
    "source_not_read": Meaning(
        422, "A kind of picture that we do not read", "`detail` says which. Save it as JPEG, PNG, WebP or TIFF."
    ),
    "source_too_many_pixels": Meaning(422, "The photograph has too many pixels", "`detail` says how many it may have."),
    "source_too_few_pixels": Meaning(422, "The photograph is too small", "`detail` says what a side has at least."),
    "poison_input": Meaning(422, "It broke a worker more than once", "It is not tried again. Save it anew."),
    "bad_image": Meaning(422, "The picture cannot be worked on", "`detail` says what it is."),
    "no_subject": Meaning(
        422, "No product is to be seen", "Take a photograph in which it stands apart from its ground."
    ),
    "empty_cutout": Meaning(422, "Nothing is left of the product", "The cutout has hardly any opaque pixel."),
    "no_surroundings": Meaning(422, "Nothing but the product is to be seen", "Its surroundings are wanted, too."),
    "bad_inputs": Meaning(422, "Not the pictures that this operation takes", "`detail` says which it takes."),
    "bad_artwork": Meaning(422, "The artwork cannot be printed", "`detail` says what it is."),
    "bad_scene": Meaning(422, "No such scene", "`detail` names those that there are, or what is wrong with it."),
    "bad_template": Meaning(422, "The template cannot be used", "`detail` says what is wrong with it."),
    "unsupported_garment": Meaning(
        422, "No virtual model wears this", "`detail` says what was found, and which garments are worn."
    ),
    "unknown_template": Meaning(422, "No such template", "`detail` names those that there are."),
    "bad_brand": Meaning(422, "The brand cannot be used", "GET /v1/brands tells which there are."),
    "bad_look": Meaning(422, "The network answered otherwise than it should", "Take another `model`."),
    "bad_model": Meaning(422, "No such network", "`detail` says what is wrong with `parameters.model`."),
    "input_lost": Meaning(422, "What it is made of is not kept any more", "Send the photograph again."),
    "bad_lut": Meaning(422, "The colour table cannot be read", "`detail` names the line."),
    "too_heavy": Meaning(422, "The file would be too large for its channel", "Take a smaller or a plainer picture."),
    "too_much_memory": Meaning(422, "It would take more memory than there is", "Ask for a smaller picture."),
    "upscaling_forbidden": Meaning(422, "The channel takes no enlarged pictures", "Take a larger photograph."),
    "source_unavailable": Meaning(503, "The photograph's server is away", "Ask again.", retryable=True),
    "source_timeout": Meaning(503, "The photograph did not come in time", "Ask again.", retryable=True),
    "no_model": Meaning(503, "A network could not be had just now", "Ask again.", retryable=True),
    "engine_failed": Meaning(503, "The engine failed", "Ask again.", retryable=True),
    "out_of_memory": Meaning(503, "A worker had too little memory just now", "Ask again.", retryable=True),
}
