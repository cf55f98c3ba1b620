"""Parameters of addresses that only tell where a reader came from. Pure.

Kept as names and beginnings of names; some mean that only on certain hosts. Whatever is not listed stays: a parameter
that is dropped wrongly breaks an address, one that stays only makes it longer.
"""

from __future__ import annotations

_NAMES = """
fbclid gclid gclsrc dclid gbraid wbraid msclkid twclid ttclid yclid ysclid li_fat_id epik igsh igshid mc_cid mc_eid
mkt_tok vero_id vero_conv oly_anon_id oly_enc_id s_cid wickedid wickedsource _openstat ml_subscriber
ml_subscriber_hash rb_clickid wt_mc at_medium at_campaign at_link_id at_link_type at_ptr_name at_format _hsenc
_hsmi __hssc __hstc __hsfp hsctatracking guce_referrer guce_referrer_sig cmpid ncid ns_mchannel ns_source
ns_campaign ns_linkname ns_fee srsltid spm_id_from scm_id ref_src ref_url cvid oicd ocid xtor campaign_id mibextid
_branch_match_id _branch_referrer sc_campaign sc_channel sc_content sc_medium sc_outcome sc_geo sc_country
fb_action_ids fb_action_types fb_source action_object_map action_type_map action_ref_map
"""
_ANYWHERE = frozenset(_NAMES.split())
_BEGINNINGS = ("utm_", "mtm_", "pk_", "piwik_", "matomo_", "hsa_", "itm_", "stm_", "int_cmp_", "trk_", "ga_source_")
_ON = {
    "youtube.com": frozenset({"feature", "si", "pp", "ab_channel"}),
    "youtu.be": frozenset({"feature", "si"}),
    "open.spotify.com": frozenset({"si", "context"}),
    "twitter.com": frozenset({"s", "t", "ref"}),
    "x.com": frozenset({"s", "t", "ref"}),
    "instagram.com": frozenset({"hl"}),
    "medium.com": frozenset({"source", "sk"}),
    "linkedin.com": frozenset({"trk", "trackingid", "refid", "lipi"}),
    "theguardian.com": frozenset({"cmp"}),
    "nytimes.com": frozenset({"smid", "partner", "emc", "rss"}),
    "bbc.co.uk": frozenset({"ocid", "ns_mchannel"}),
    "tiktok.com": frozenset({"_t", "_r", "is_from_webapp", "sender_device"}),
    "reddit.com": frozenset({"share_id", "ref", "ref_source", "rdt"}),
}


def without_trackers(query: str, host: str) -> str:
    """Return a query without what only tracks; everything else keeps its place and spelling.

    Args:
        query: as it stands in the address, without "?".
        host: of the address, in lower case.
    """
    here = next((_ON[suffix] for suffix in _suffixes(host) if suffix in _ON), frozenset[str]())
    return "&".join(pair for pair in query.split("&") if pair and not _tracks(pair.partition("=")[0].lower(), here))


def _tracks(name: str, here: frozenset[str]) -> bool:
    return name in _ANYWHERE or name in here or name.startswith(_BEGINNINGS)


def _suffixes(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
