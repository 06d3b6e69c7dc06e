"""Directives of Passenger that have no effect in Jumpseat.

They are accepted, so that an existing configuration loads. Each name brings one warning. Their values are not read.
"""

from __future__ import annotations

OPEN_SOURCE: tuple[str, ...] = (
    "PassengerAdminPanelAuthType",
    "PassengerAdminPanelPassword",
    "PassengerAdminPanelUrl",
    "PassengerAdminPanelUsername",
    "PassengerAnonymousTelemetryProxy",
    "PassengerBufferResponse",
    "PassengerDirectInstanceRequestAddress",
    "PassengerDisableAnonymousTelemetry",
    "PassengerDisableSecurityUpdateCheck",
    "PassengerDumpConfigManifest",
    "PassengerFileDescriptorLogFile",
    "PassengerHighPerformance",
    "PassengerLveMinUid",
    "PassengerMeteorAppSettings",
    "PassengerMonitorLogFile",
    "PassengerPreloadBundler",
    "PassengerRoot",
    "PassengerSecurityUpdateCheckProxy",
    "PassengerSpawnDir",
    "PassengerTurbocaching",
)

ENTERPRISE: tuple[str, ...] = (
    "PassengerAnalyticsCollectionRate",
    "PassengerDebugger",
    "PassengerFlyWith",
)

OBSOLETE: tuple[str, ...] = (
    "PassengerAnalyticsLogGroup",
    "PassengerAnalyticsLogUser",
    "PassengerResolveSymlinksInDocumentRoot",
    "PassengerTempDir",
    "PassengerUploadBufferDir",
    "PassengerUseGlobalQueue",
    "RackAutoDetect",
    "RailsAllowModRewrite",
    "RailsAutoDetect",
    "RailsFrameworkSpawnerIdleTime",
    "RailsRuby",
    "RailsSpawnServer",
    "UnionStationFilter",
    "UnionStationGatewayAddress",
    "UnionStationGatewayCert",
    "UnionStationGatewayPort",
    "UnionStationKey",
    "UnionStationProxyAddress",
    "UnionStationSupport",
    "WsgiAutoDetect",
)

IGNORED: tuple[str, ...] = tuple(sorted(OPEN_SOURCE + ENTERPRISE + OBSOLETE))
