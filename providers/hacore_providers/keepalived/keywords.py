"""The keywords of keepalived.conf(5), by block, with the version that brought them.

Read from the sources of keepalived 1.2.13 to 2.4.3, by the blocks in which its parser installs them. "" stands for
2.0.0 and older; the checks of real servers are under virtual_server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["BLOCKS", "LISTS", "known", "since"]

_BY_VERSION: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "/": {
            "": (
                "SSL bfd_instance child_wait_time garp_group global_defs instance linkbeat_use_polling "
                "namespace_with_ipsets net_namespace static_ipaddress static_routes static_rules use_pid_dir "
                "virtual_server virtual_server_group vrrp_instance vrrp_script vrrp_sync_group vrrp_track_file"
            ),
            "2.0.3": "track_group",
            "2.0.11": "vrrp_track_process",
            "2.0.13": "linkbeat_interfaces",
            "2.1.0": "net_namespace_ipvs track_file",
            "2.2.3": "interface_up_down_delays",
        },
        "global_defs": {
            "": (
                "bfd_no_swap bfd_priority bfd_rlimit_rtime bfd_rt_priority checker_no_swap checker_priority "
                "checker_rlimit_rtime checker_rt_priority dbus_service_name default_interface dynamic_interfaces "
                "enable_dbus enable_script_security enable_snmp_checker enable_snmp_keepalived enable_snmp_rfc "
                "enable_snmp_rfcv2 enable_snmp_rfcv3 enable_snmp_vrrp enable_traps lvs_flush lvs_netlink_cmd_rcv_bufs "
                "lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force "
                "lvs_notify_fifo lvs_notify_fifo_script lvs_sync_daemon lvs_timeouts no_checker_emails "
                "no_email_faults notification_email notification_email_from notify_fifo notify_fifo_script plugin_dir "
                "router_id rs_init_notifies script_user smtp_alert smtp_alert_checker smtp_alert_vrrp "
                "smtp_connect_timeout smtp_helo_name smtp_server snmp_socket vrrp_check_unicast_src "
                "vrrp_garp_interval vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_master_delay "
                "vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_master_repeat vrrp_gna_interval "
                "vrrp_higher_prio_send_advert vrrp_ipsets vrrp_iptables vrrp_lower_prio_no_advert vrrp_mcast_group4 "
                "vrrp_mcast_group6 vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force "
                "vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force vrrp_no_swap vrrp_notify_fifo "
                "vrrp_notify_fifo_script vrrp_priority vrrp_rlimit_rtime vrrp_rt_priority vrrp_skip_check_adv_addr "
                "vrrp_strict vrrp_version"
            ),
            "2.0.3": "vrrp_rx_bufs_multiplier vrrp_rx_bufs_policy",
            "2.0.9": "umask",
            "2.0.11": (
                "checker_log_all_failures nftables nftables_counters nftables_ifindex nftables_priority "
                "process_monitor_rcv_bufs process_monitor_rcv_bufs_force"
            ),
            "2.0.12": "vrrp_min_garp",
            "2.0.14": "vrrp_startup_delay",
            "2.0.15": "lvs_flush_onstop random_seed",
            "2.0.16": (
                "bfd_process_name log_unknown_vrids lvs_process_name process_name process_names "
                "vrrp_notify_priority_changes vrrp_process_name"
            ),
            "2.0.17": "bfd_cpu_affinity checker_cpu_affinity vrrp_cpu_affinity",
            "2.1.0": (
                "bfd_rlimit_rttime checker_rlimit_rttime max_auto_priority min_auto_priority_delay reload_repeat "
                "reload_time_file shutdown_script shutdown_script_timeout startup_script startup_script_timeout "
                "vrrp_rlimit_rttime"
            ),
            "2.2.0": (
                "checker_process_name disable_local_igmp include_check lvs_flush_on_stop reload_check_config "
                "reload_file tmp_config_directory vmac_addr_prefix vmac_prefix vrrp_vmac_garp_intvl"
            ),
            "2.2.2": "nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark",
            "2.2.3": "config_save_dir data_use_instance vrrp_down_timer_adverts vrrp_garp_extra_if",
            "2.2.5": "fifo_write_vrrp_states_on_reload",
            "2.2.8": "json_version v3_checksum_as_v2",
            "2.3.0": (
                "dbus_no_interface_name snmp_rs_stats_update_interval snmp_vs_stats_update_interval use_symlink_paths"
            ),
            "2.3.2": "iproute_etc_dir iproute_usr_dir",
            "2.3.3": "json_dump_file state_dump_file stats_dump_file vrrp_owner_ignore_adverts",
            "2.4.0": "vrrp_delay_after_boot",
        },
        "vrrp_instance": {
            "": (
                "accept advert_int authentication debug dont_track_primary garp_lower_prio_delay "
                "garp_lower_prio_repeat garp_master_delay garp_master_refresh garp_master_refresh_repeat "
                "garp_master_repeat higher_prio_send_advert interface linkbeat_use_polling lower_prio_no_advert "
                "lvs_sync_daemon_interface mcast_src_ip native_ipv6 no_accept nopreempt notify notify_backup "
                "notify_fault notify_master notify_stop old_unicast_checksum preempt preempt_delay priority "
                "promote_secondaries skip_check_adv_addr smtp_alert state strict_mode track_bfd track_file "
                "track_interface track_script track_src_ip unicast_peer unicast_src_ip use_vmac version "
                "virtual_ipaddress virtual_ipaddress_excluded virtual_router_id virtual_routes virtual_rules "
                "vmac_xmit_base"
            ),
            "2.0.3": "kernel_rx_buf_size",
            "2.0.6": "notify_master_rx_lower_pri",
            "2.0.11": "track_process",
            "2.0.16": "notify_priority_changes",
            "2.0.17": "use_ipvlan",
            "2.1.0": "check_unicast_src notify_deleted unicast_ttl",
            "2.2.0": "use_vmac_addr vmac_garp_intvl",
            "2.2.3": "down_timer_adverts garp_extra_if",
            "2.2.5": "mcast_dst_ip unicast_fault_no_peer vrf",
            "2.2.8": "no_virtual_ipaddress timer_expired_backup v3_checksum_as_v2",
            "2.3.2": "thread_timer_expired",
            "2.3.3": "owner_ignore_adverts",
            "2.4.0": "auth_hmac",
        },
        "vrrp_instance/authentication": {
            "": "auth_pass auth_type",
        },
        "vrrp_instance/auth_hmac": {
            "2.4.0": "active_key anti_replay key mode time_window",
        },
        "vrrp_sync_group": {
            "": (
                "global_tracking group notify notify_backup notify_fault notify_master notify_stop smtp_alert "
                "sync_group_tracking_weight track_bfd track_file track_interface track_script"
            ),
            "2.0.11": "track_process",
            "2.2.0": "notify_priority_changes",
        },
        "vrrp_script": {
            "": "fall init_fail interval rise script timeout user weight",
        },
        "vrrp_track_file": {
            "": "file init_file weight",
        },
        "vrrp_track_process": {
            "2.0.11": "delay full_command process quorum weight",
            "2.0.16": "fork_delay param_match quorum_max terminate_delay",
        },
        "virtual_server": {
            "": (
                "BFD_CHECK DNS_CHECK HTTP_GET MISC_CHECK SMTP_CHECK SSL_GET TCP_CHECK alpha bind_if bind_port bindto "
                "connect_ip connect_port connect_timeout delay_before_retry delay_loop digest enable_sni flag-1 "
                "flag-2 flag-3 fwmark ha_suspend hashed helo_name host hysteresis inhibit_on_failure ip_family "
                "lb_algo lb_kind lthreshold lvs_method lvs_sched misc_dynamic misc_path misc_timeout name nat_mask "
                "nb_get_retry notify_down notify_up omega ops path persistence_engine persistence_granularity "
                "persistence_timeout protocol quorum quorum_down quorum_up real_server retry sh-fallback sh-port "
                "smtp_alert sorry_server sorry_server_inhibit sorry_server_lvs_method status_code type url user "
                "uthreshold virtualhost warmup weight"
            ),
            "2.0.7": "regex regex_max_offset regex_min_offset regex_no_match regex_options regex_stack",
            "2.0.11": "log_all_failures",
            "2.0.17": "fast_recovery http_protocol",
            "2.0.20": "mh-fallback mh-port",
            "2.1.0": "FILE_CHECK PING_CHECK UDP_CHECK require_reply track_file",
            "2.2.0": "max_reply_length min_reply_length payload",
            "2.2.3": "snmp_name",
            "2.2.8": "tls_compliant",
        },
        "SSL": {
            "": "ca certificate key password",
        },
        "bfd_instance": {
            "": (
                "checker hoplimit idle_tx max_hops min_rx min_tx multiplier neighbor_ip neighbour_ip passive "
                "source_ip ttl vrrp weight"
            ),
            "2.2.8": "multihop",
        },
        "garp_group": {
            "": "garp_interval gna_interval interface interfaces",
        },
        "track_file": {
            "2.1.0": "file init_file weight",
        },
        "track_group": {
            "2.0.3": "group",
        },
    }
)

BLOCKS = tuple(_BY_VERSION)
"""The blocks of which the keywords are known; "/" is outside of blocks, a block within one is written with a slash."""

LISTS = frozenset(
    {
        "virtual_ipaddress", "virtual_ipaddress_excluded", "virtual_routes", "virtual_rules", "track_interface",
        "track_script", "track_file", "track_process", "track_bfd", "unicast_peer", "notification_email", "group",
        "static_ipaddress", "static_routes", "static_rules", "linkbeat_interfaces", "interface_up_down_delays",
        "interfaces", "virtual_server_group",
    }
)  # fmt: skip
"""Blocks that hold values instead of keywords."""


def known(block: str) -> frozenset[str]:
    """All keywords of a block, of any version."""
    return frozenset(word for words in _BY_VERSION[block].values() for word in words.split())


def since(block: str, keyword: str) -> str:
    """The version of keepalived that brought a keyword, as "2.2.3"; empty for 2.0.0 and older."""
    return next(version for version, words in _BY_VERSION[block].items() if keyword in words.split())
