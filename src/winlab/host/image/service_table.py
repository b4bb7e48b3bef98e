"""The services of a fresh Windows Server, as data.

One line a service: name | English display name | Chinese display name | start | state | account |
host | dependencies | first build. ``start``: a automatic, d automatic delayed, m manual, x disabled,
with ``t`` for a start trigger. ``state``: r running, s stopped. ``account``: S LocalSystem, L
LocalService, N NetworkService. ``host``: a svchost group, or a path. Source of names and start
modes: "Guidance on disabling system services on Windows Server with Desktop Experience" (Microsoft
Learn); display names are those of the two language versions, "=" where zh-CN Windows shows the English name.
"""

from __future__ import annotations

SERVICES = """
AJRouter|AllJoyn Router Service|=|mt|s|L|LocalServiceNetworkRestricted||
ALG|Application Layer Gateway Service|=|m|s|L|%SR%\\System32\\alg.exe||
AppIDSvc|Application Identity|=|mt|s|L|LocalServiceNetworkRestricted|RpcSs,CryptSvc,AppID|
Appinfo|Application Information|=|mt|s|S|netsvcs|RpcSs,ProfSvc|
AppMgmt|Application Management|=|m|s|S|netsvcs||
AppReadiness|App Readiness|=|m|s|S|AppReadiness||
AppVClient|Microsoft App-V Client|=|x|s|S|%SR%\\system32\\AppVClient.exe|RpcSs|
AppXSvc|AppX Deployment Service (AppXSVC)|=|mt|s|S|wsappx|RpcSs,staterepository|
AudioEndpointBuilder|Windows Audio Endpoint Builder|=|m|s|S|LocalSystemNetworkRestricted||
Audiosrv|Windows Audio|=|m|s|L|LocalServiceNetworkRestricted|AudioEndpointBuilder,RpcSs|
AxInstSV|ActiveX Installer (AxInstSV)|=|x|s|S|AxInstSVGroup|RpcSs|
BFE|Base Filtering Engine|=|a|r|L|LocalServiceNoNetworkFirewall|RpcSs|
BITS|Background Intelligent Transfer Service|=|m|s|S|netsvcs|RpcSs|
BrokerInfrastructure|Background Tasks Infrastructure Service|=|a|r|S|DcomLaunch|RpcEptMapper,DcomLaunch,RpcSs|
BTAGService|Bluetooth Audio Gateway Service|蓝牙音频网关服务|mt|s|L|LocalServiceNetworkRestricted|rpcss|17763
BthAvctpSvc|AVCTP service|AVCTP 服务|mt|s|L|LocalService|rpcss|17763
bthserv|Bluetooth Support Service|蓝牙支持服务|mt|s|L|LocalService||
camsvc|Capability Access Manager Service|功能访问管理器服务|m|s|S|appmodel|rpcss|17763
CaptureService|CaptureService|=|m|s|S|LocalService||17763
cbdhsvc|Clipboard User Service|剪贴板用户服务|m|s|S|ClipboardSvcGroup||17763
CDPSvc|Connected Devices Platform Service|连接设备平台服务|dt|r|L|LocalService|ncbservice,RpcSS,Tcpip|
CertPropSvc|Certificate Propagation|=|mt|r|S|netsvcs|RpcSs|
ClipSVC|Client License Service (ClipSVC)|=|mt|s|S|wsappx|rpcss|
COMSysApp|COM+ System Application|=|m|r|S|%SR%\\system32\\dllhost.exe /Processid:{02D4B3F1-FD88-11D1-960D-00805FC79235}|RpcSs,EventSystem,SENS|
CoreMessagingRegistrar|CoreMessaging|=|a|r|L|LocalServiceNoNetwork|rpcss|
CryptSvc|Cryptographic Services|=|at|r|N|NetworkService|RpcSs|
CscService|Offline Files|=|xt|s|S|LocalSystemNetworkRestricted|RpcSs|
DcomLaunch|DCOM Server Process Launcher|=|a|r|S|DcomLaunch||
DcpSvc|DataCollectionPublishingService|=|mt|s|S|netsvcs|RpcSs|14393-14393
defragsvc|Optimize drives|优化驱动器|m|s|S|defragsvc|RPCSS|
DeviceAssociationService|Device Association Service|=|mt|s|S|LocalSystemNetworkRestricted||
DeviceInstall|Device Install Service|=|mt|s|S|DcomLaunch||
DevQueryBroker|DevQuery Background Discovery Broker|=|mt|s|S|LocalSystemNetworkRestricted||
Dhcp|DHCP Client|=|a|r|L|LocalServiceNetworkRestricted|NSI,Afd|
diagnosticshub.standardcollector.service|Microsoft (R) Diagnostics Hub Standard Collector Service|Microsoft(R) 诊断中心标准收集器服务|m|s|S|%SR%\\system32\\DiagSvcs\\DiagnosticsHub.StandardCollector.Service.exe||
DiagTrack|Connected User Experiences and Telemetry|=|a|r|S|utcsvc|RpcSs|
DispBrokerDesktopSvc|Display Policy Service|显示策略服务|a|r|L|LocalService|RpcSs|20348
DmEnrollmentSvc|Device Management Enrollment Service|设备管理注册服务|m|s|S|netsvcs|rpcss|
dmwappushservice|dmwappushsvc|=|xt|s|S|netsvcs|rpcss|
Dnscache|DNS Client|=|at|r|N|NetworkService|Tdx,nsi|
DoSvc|Delivery Optimization|传递优化|mt|s|N|NetworkService|rpcss|
dot3svc|Wired AutoConfig|=|m|s|S|LocalSystemNetworkRestricted|RpcSs,Ndisuio,Eaphost|
DPS|Diagnostic Policy Service|=|a|r|L|LocalServiceNoNetwork||
DsmSvc|Device Setup Manager|=|mt|s|S|netsvcs|RpcSs|
DsSvc|Data Sharing Service|数据共享服务|mt|s|S|LocalSystemNetworkRestricted||
Eaphost|Extensible Authentication Protocol|=|m|s|S|netsvcs|RPCSS,KeyIso|
EFS|Encrypting File System (EFS)|=|mt|s|S|%SR%\\System32\\lsass.exe|RPCSS|
embeddedmode|Embedded Mode|嵌入模式|mt|s|S|LocalSystemNetworkRestricted|BrokerInfrastructure|
EntAppSvc|Enterprise App Management Service|企业应用管理服务|m|s|S|appmodel|rpcss|
EventLog|Windows Event Log|=|a|r|L|LocalServiceNetworkRestricted||
EventSystem|COM+ Event System|=|a|r|L|LocalService|rpcss|
fdPHost|Function Discovery Provider Host|=|m|s|L|LocalService|RpcSs,http|
FDResPub|Function Discovery Resource Publication|=|mt|s|L|LocalServiceAndNoImpersonation|RpcSs,http,fdphost|
FontCache|Windows Font Cache Service|=|a|r|L|LocalService||
FrameServer|Windows Camera Frame Server|Windows 相机帧服务器|mt|s|L|Camera|rpcss|
gpsvc|Group Policy Client|=|at|r|S|GPSvcGroup|RPCSS,Mup|
GraphicsPerfSvc|GraphicsPerfSvc|=|mt|s|S|GraphicsPerfSvcGroup||17763
hidserv|Human Interface Device Service|=|mt|s|S|LocalSystemNetworkRestricted||
HvHost|HV Host Service|HV 主机服务|mt|s|S|LocalSystemNetworkRestricted|hvservice|
icssvc|Windows Mobile Hotspot Service|Windows 移动热点服务|xt|s|L|LocalServiceNetworkRestricted|RpcSs,wcmsvc|
IKEEXT|IKE and AuthIP IPsec Keying Modules|=|at|r|S|netsvcs|BFE,nsi|
InstallService|Microsoft Store Install Service|Microsoft Store 安装服务|m|s|S|netsvcs|rpcss|17763
iphlpsvc|IP Helper|=|a|r|S|NetSvcs|RpcSS,tcpip,nsi,WinHttpAutoProxySvc|
KeyIso|CNG Key Isolation|=|mt|r|S|%SR%\\system32\\lsass.exe|RpcSs|
KPSSVC|KDC Proxy Server service (KPS)|KDC 代理服务器服务(KPS)|m|s|N|KpsSvcGroup|rpcss,http|
KtmRm|KtmRm for Distributed Transaction Coordinator|=|mt|s|N|NetworkServiceAndNoImpersonation|RPCSS,SamSS|
LanmanServer|Server|=|at|r|S|netsvcs|SamSS,Srv2|
LanmanWorkstation|Workstation|=|a|r|N|NetworkService|Bowser,MRxSmb20,NSI|
lfsvc|Geolocation Service|=|xt|s|S|netsvcs|RpcSs|
LicenseManager|Windows License Manager Service|Windows 许可证管理器服务|mt|s|L|LocalService|rpcss|
lltdsvc|Link-Layer Topology Discovery Mapper|=|x|s|L|LocalService|rpcss,lltdio|
lmhosts|TCP/IP NetBIOS Helper|=|mt|r|L|LocalServiceNetworkRestricted|Afd|
LSM|Local Session Manager|=|a|r|S|DcomLaunch|RpcEptMapper,DcomLaunch,RpcSs|
MapsBroker|Downloaded Maps Manager|下载地图管理器|dt|s|N|NetworkService|rpcss|
mpssvc|Windows Defender Firewall|=|a|r|L|LocalServiceNoNetworkFirewall|mpsdrv,bfe|
MSDTC|Distributed Transaction Coordinator|=|d|r|N|%SR%\\System32\\msdtc.exe|RPCSS,SamSS|
MSiSCSI|Microsoft iSCSI Initiator Service|=|m|s|S|netsvcs||
msiserver|Windows Installer|=|m|s|S|%SR%\\system32\\msiexec.exe /V|rpcss|
NcaSvc|Network Connectivity Assistant|=|mt|s|S|NetSvcs|BFE,dnscache,NSI,iphlpsvc|
NcbService|Network Connection Broker|=|mt|r|S|LocalSystemNetworkRestricted|RpcSS,tcpip|
Netlogon|Netlogon|=|m|s|S|%SR%\\system32\\lsass.exe|LanmanWorkstation|
Netman|Network Connections|=|m|s|S|LocalSystemNetworkRestricted|RpcSs,nsi|
netprofm|Network List Service|=|m|r|L|LocalService|RpcSs,nlasvc|
NetSetupSvc|Network Setup Service|网络设置服务|mt|s|S|netsvcs||
NetTcpPortSharing|Net.Tcp Port Sharing Service|=|x|s|L|%SR%\\Microsoft.NET\\Framework64\\v4.0.30319\\SMSvcHost.exe||
NgcCtnrSvc|Microsoft Passport Container|=|mt|s|L|LocalServiceNetworkRestricted|RpcSs|
NgcSvc|Microsoft Passport|=|mt|s|S|LocalSystemNetworkRestricted|RpcSs|
NlaSvc|Network Location Awareness|=|a|r|N|NetworkService|NSI,RpcSs,TcpIp,Dhcp,Eventlog|
nsi|Network Store Interface Service|=|a|r|L|LocalService|rpcss,nsiproxy|
PcaSvc|Program Compatibility Assistant Service|=|a|r|S|LocalSystemNetworkRestricted|RpcSs|
PerfHost|Performance Counter DLL Host|=|m|s|L|%SR%\\SysWow64\\perfhost.exe|RPCSS|
PhoneSvc|Phone Service|电话服务|mt|s|L|LocalService|RpcSs|
pla|Performance Logs & Alerts|=|m|s|L|LocalServiceNoNetwork|RPCSS|
PlugPlay|Plug and Play|=|m|r|S|DcomLaunch||
PolicyAgent|IPsec Policy Agent|=|mt|r|N|NetworkServiceNetworkRestricted|Tcpip,bfe|
Power|Power|=|a|r|S|DcomLaunch||
PrintNotify|Printer Extensions and Notifications|=|m|s|S|print|RpcSs|
ProfSvc|User Profile Service|=|a|r|S|netsvcs|RpcSs|
PushToInstall|Windows PushToInstall Service|Windows 推送安装服务|xt|s|S|netsvcs|rpcss|17763
QWAVE|Quality Windows Audio Video Experience|=|m|s|L|LocalServiceAndNoImpersonation|rpcss,psched,QWAVEdrv,LLTDIO|
RasAuto|Remote Access Auto Connection Manager|=|m|s|S|netsvcs|RasAcd|
RasMan|Remote Access Connection Manager|=|m|s|S|netsvcs|SstpSvc,DnsCache|
RemoteAccess|Routing and Remote Access|=|x|s|S|netsvcs|RpcSS,Bfe,RasMan,Http|
RemoteRegistry|Remote Registry|=|at|s|L|localService|RPCSS|
RmSvc|Radio Management Service|无线电管理服务|x|s|L|LocalServiceNetworkRestricted|RpcSs|
RpcEptMapper|RPC Endpoint Mapper|=|a|r|N|RPCSS||
RpcLocator|Remote Procedure Call (RPC) Locator|=|m|s|N|%SR%\\system32\\locator.exe||
RpcSs|Remote Procedure Call (RPC)|=|a|r|N|rpcss|RpcEptMapper,DcomLaunch|
RSoPProv|Resultant Set of Policy Provider|=|m|s|S|%SR%\\system32\\RSoPProv.exe|RPCSS|
sacsvr|Special Administration Console Helper|=|m|s|S|netsvcs||
SamSs|Security Accounts Manager|=|a|r|S|%SR%\\system32\\lsass.exe|RPCSS|
SCardSvr|Smart Card|=|mt|s|L|LocalServiceAndNoImpersonation||
ScDeviceEnum|Smart Card Device Enumeration Service|=|mt|s|S|LocalSystemNetworkRestricted||
Schedule|Task Scheduler|=|a|r|S|netsvcs|RPCSS,SystemEventsBroker|
SCPolicySvc|Smart Card Removal Policy|=|m|s|S|netsvcs|RpcSs|
seclogon|Secondary Logon|=|m|s|S|netsvcs||
SecurityHealthService|Windows Security Service|Windows 安全中心服务|m|s|S|%SR%\\system32\\SecurityHealthService.exe|RpcSs|17763
SEMgrSvc|Payments and NFC/SE Manager|付款和 NFC/SE 管理器|xt|s|L|LocalService|RpcSs|17763
SENS|System Event Notification Service|=|a|r|S|netsvcs|EventSystem|
Sense|Windows Defender Advanced Threat Protection Service|Windows Defender 高级威胁防护服务|mt|s|S|"%ProgramFiles%\\Windows Defender Advanced Threat Protection\\MsSense.exe"||17763
SensorDataService|Sensor Data Service|传感器数据服务|xt|s|S|%SR%\\System32\\SensorDataService.exe||
SensorService|Sensor Service|传感器服务|mt|s|S|LocalSystemNetworkRestricted||
SensrSvc|Sensor Monitoring Service|=|mt|s|L|LocalServiceAndNoImpersonation||
SessionEnv|Remote Desktop Configuration|=|m|r|S|netsvcs|RPCSS,LanmanWorkstation|
SgrmBroker|System Guard Runtime Monitor Broker|System Guard 运行时监视器代理|d|r|S|%SR%\\system32\\SgrmBroker.exe|RpcSs|17763
SharedAccess|Internet Connection Sharing (ICS)|=|xt|s|S|netsvcs|BFE|
ShellHWDetection|Shell Hardware Detection|=|a|r|S|netsvcs|RpcSs|
shpamsvc|Shared PC Account Manager|=|x|s|S|netsvcs|RpcSs,ProfSvc|17763
smphost|Microsoft Storage Spaces SMP|=|m|s|N|smphost|RPCSS|
SNMPTRAP|SNMP Trap|SNMP 陷阱|m|s|L|%SR%\\System32\\snmptrap.exe||
Spooler|Print Spooler|=|a|r|S|%SR%\\System32\\spoolsv.exe|RPCSS,http|
sppsvc|Software Protection|=|dt|s|N|%SR%\\system32\\sppsvc.exe|RpcSs|
SSDPSRV|SSDP Discovery|=|x|s|L|LocalServiceAndNoImpersonation|HTTP,NSI|
ssh-agent|OpenSSH Authentication Agent|=|x|s|S|%SR%\\System32\\OpenSSH\\ssh-agent.exe||17763
SstpSvc|Secure Socket Tunneling Protocol Service|=|m|s|L|LocalService||
StateRepository|State Repository Service|=|m|r|S|appmodel|rpcss|
stisvc|Windows Image Acquisition (WIA)|=|xt|s|L|imgsvc|RpcSs|
StorSvc|Storage Service|存储服务|mt|r|S|LocalSystemNetworkRestricted||
svsvc|Spot Verifier|=|mt|s|S|LocalSystemNetworkRestricted||
swprv|Microsoft Software Shadow Copy Provider|=|m|s|S|swprv|RPCSS|
SysMain|SysMain|=|a|r|S|LocalSystemNetworkRestricted|rpcss,fileinfo|
SystemEventsBroker|System Events Broker|=|at|r|S|DcomLaunch|RpcEptMapper,RpcSs|
TabletInputService|Touch Keyboard and Handwriting Panel Service|=|mt|r|S|LocalSystemNetworkRestricted|RpcSs|
tapisrv|Telephony|=|m|s|N|NetworkService|RpcSs|
TermService|Remote Desktop Services|=|m|r|N|termsvcs|RPCSS|
Themes|Themes|=|a|r|S|netsvcs||
TieringEngineService|Storage Tiers Management|存储层管理|m|s|S|%SR%\\system32\\TieringEngineService.exe||
TimeBrokerSvc|Time Broker|时间代理程序|mt|r|L|LocalServiceNetworkRestricted||
TokenBroker|Web Account Manager|Web 帐户管理器|m|s|S|netsvcs|UserManager|
TrkWks|Distributed Link Tracking Client|=|a|r|S|LocalSystemNetworkRestricted|RpcSs|
TrustedInstaller|Windows Modules Installer|=|m|s|S|%SR%\\servicing\\TrustedInstaller.exe||
tzautoupdate|Auto Time Zone Updater|自动时区更新程序|xt|s|L|LocalService||
UALSVC|User Access Logging Service|=|d|r|S|LocalSystemNetworkRestricted|WinMgmt|
UevAgentService|User Experience Virtualization Service|用户体验虚拟化服务|x|s|S|%SR%\\system32\\AgentService.exe|RpcSs|
UmRdpService|Remote Desktop Services UserMode Port Redirector|=|m|r|S|LocalSystemNetworkRestricted|TermService,RDPDR|
upnphost|UPnP Device Host|=|x|s|L|LocalServiceAndNoImpersonation|SSDPSRV,HTTP|
UserManager|User Manager|=|at|r|S|netsvcs|RpcSs,ProfSvc|
UsoSvc|Update Orchestrator Service|更新 Orchestrator 服务|dt|r|S|netsvcs|rpcss|
VaultSvc|Credential Manager|=|m|r|S|%SR%\\system32\\lsass.exe|rpcss|
vds|Virtual Disk|=|m|s|S|%SR%\\System32\\vds.exe|RpcSs|
vmicguestinterface|Hyper-V Guest Service Interface|=|mt|s|S|LocalSystemNetworkRestricted||
vmicheartbeat|Hyper-V Heartbeat Service|=|mt|s|S|ICService||
vmickvpexchange|Hyper-V Data Exchange Service|=|mt|s|S|LocalSystemNetworkRestricted||
vmicrdv|Hyper-V Remote Desktop Virtualization Service|Hyper-V 远程桌面虚拟化服务|mt|s|S|ICService||
vmicshutdown|Hyper-V Guest Shutdown Service|=|mt|s|S|LocalSystemNetworkRestricted||
vmictimesync|Hyper-V Time Synchronization Service|=|mt|s|L|LocalServiceNetworkRestricted|VmGid|
vmicvmsession|Hyper-V PowerShell Direct Service|=|mt|s|S|LocalSystemNetworkRestricted||
vmicvss|Hyper-V Volume Shadow Copy Requestor|Hyper-V 卷影复制请求程序|mt|s|S|LocalSystemNetworkRestricted||
VSS|Volume Shadow Copy|=|m|s|S|%SR%\\system32\\vssvc.exe|RPCSS|
W32Time|Windows Time|=|at|r|L|LocalService||
WaaSMedicSvc|Windows Update Medic Service|Windows 更新医生服务|m|s|S|wusvcs|rpcss|17763
WalletService|WalletService|=|x|s|S|appmodel||
WarpJITSvc|WarpJITSvc|=|mt|s|L|LocalServiceNetworkRestricted||17763
WbioSrvc|Windows Biometric Service|=|mt|s|S|WbioSvcGroup|RpcSs,VaultSvc|
Wcmsvc|Windows Connection Manager|=|at|r|L|LocalServiceNetworkRestricted|RpcSs,NSI|
WdiServiceHost|Diagnostic Service Host|=|m|s|L|LocalService||
WdiSystemHost|Diagnostic System Host|=|m|r|S|LocalSystemNetworkRestricted||
WdNisSvc|Microsoft Defender Antivirus Network Inspection Service|Microsoft Defender 防病毒软件网络检查服务|m|r|L|"%ProgramFiles%\\Windows Defender\\NisSrv.exe"|WdNisDrv|
Wecsvc|Windows Event Collector|=|m|s|N|NetworkService|HTTP,Eventlog|
WEPHOSTSVC|Windows Encryption Provider Host Service|=|mt|s|L|WepHostSvcGroup|rpcss|
wercplsupport|Problem Reports Control Panel Support|问题报告控制面板支持|m|s|S|netsvcs||
WerSvc|Windows Error Reporting Service|=|mt|s|S|WerSvcGroup||
WiaRpc|Still Image Acquisition Events|=|m|s|S|LocalSystemNetworkRestricted|RpcSs|
WinDefend|Microsoft Defender Antivirus Service|Microsoft Defender 防病毒软件服务|a|r|S|"%ProgramFiles%\\Windows Defender\\MsMpEng.exe"|RpcSs|
WinHttpAutoProxySvc|WinHTTP Web Proxy Auto-Discovery Service|=|m|r|L|LocalService|Dhcp|
Winmgmt|Windows Management Instrumentation|=|a|r|S|netsvcs|RPCSS|
WinRM|Windows Remote Management (WS-Management)|=|a|r|N|NetworkService|RPCSS,HTTP|
wisvc|Windows Insider Service|Windows 预览体验成员服务|xt|s|S|netsvcs|rpcss|
wlidsvc|Microsoft Account Sign-in Assistant|=|mt|s|S|netsvcs|RpcSs|
wmiApSrv|WMI Performance Adapter|=|m|s|S|%SR%\\system32\\wbem\\WmiApSrv.exe||
WPDBusEnum|Portable Device Enumerator Service|=|mt|s|S|LocalSystemNetworkRestricted|RpcSs|
WpnService|Windows Push Notifications System Service|Windows 推送通知系统服务|a|r|S|netsvcs|rpcss|
WSearch|Windows Search|=|x|s|S|%SR%\\system32\\SearchIndexer.exe /Embedding|RPCSS,BrokerInfrastructure|
wuauserv|Windows Update|=|mt|s|S|netsvcs|rpcss|
"""  # noqa: E501 - a table, one service a line

IIS_SERVICES = """
AppHostSvc|Application Host Helper Service|=|a|r|S|apphost||
W3SVC|World Wide Web Publishing Service|=|a|r|S|iissvcs|WAS,HTTP|
WAS|Windows Process Activation Service|=|m|r|S|iissvcs|RPCSS|
w3logsvc|W3C Logging Service|W3C 日志记录服务|m|r|S|apphost|HTTP|
"""

DRIVERS = """
AFD|Ancillary Function Driver for Winsock|=|system
AppID|AppID Driver|AppID 驱动程序|manual
Bowser|Browser Support Driver|=|manual
disk|Disk Driver|磁盘驱动程序|boot
HTTP|HTTP Service|=|manual
KSecDD|KSecDD|=|boot
mpsdrv|Windows Defender Firewall Authorization Driver|Windows Defender 防火墙授权驱动程序|manual
mrxsmb20|SMB 2.0 MiniRedirector|=|manual
Mup|Mup|=|boot
NDIS|NDIS System Driver|NDIS 系统驱动程序|boot
NetBT|NetBT|=|system
Ntfs|Ntfs|=|system
nsiproxy|NSI Proxy Service Driver|=|system
srv2|Server SMB 2.xxx Driver|=|manual
Tcpip|TCP/IP Protocol Driver|=|boot
tdx|NetIO Legacy TDI Support Driver|=|system
volmgr|Volume Manager Driver|=|boot
WdFilter|Microsoft Defender Antivirus Mini-Filter Driver|Microsoft Defender 防病毒软件迷你筛选器驱动程序|boot
WdNisDrv|Microsoft Defender Antivirus Network Inspection System Driver|Microsoft Defender 防病毒软件网络检查系统驱动程序|manual
"""  # noqa: E501 - a table, one driver a line

# Services newer than a release, left out of the legacy servers that the management host reads.
# assumed: the release in which each came, where no Microsoft page names it.
SINCE_2012 = """
AppReadiness AppXSvc BrokerInfrastructure DeviceAssociationService DeviceInstall DsmSvc KPSSVC
LSM NcaSvc NcbService PrintNotify ScDeviceEnum smphost StorSvc svsvc SystemEventsBroker
TimeBrokerSvc UALSVC Wcmsvc WiaRpc wlidsvc vmicguestinterface vmicheartbeat vmickvpexchange
vmicrdv vmicshutdown vmictimesync vmicvss
"""
SINCE_2016 = """
AJRouter AppVClient CDPSvc ClipSVC CoreMessagingRegistrar DevQueryBroker DiagTrack
diagnosticshub.standardcollector.service DmEnrollmentSvc dmwappushservice DoSvc DsSvc
embeddedmode EntAppSvc FrameServer HvHost icssvc lfsvc LicenseManager MapsBroker NetSetupSvc
NgcCtnrSvc NgcSvc PhoneSvc RmSvc SensorDataService SensorService StateRepository SensrSvc
TieringEngineService TokenBroker tzautoupdate UevAgentService UserManager UsoSvc vmicvmsession
WalletService WdNisSvc WEPHOSTSVC WinDefend wisvc WpnService
"""
