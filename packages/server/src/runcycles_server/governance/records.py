"""The operator's records, under the name by which governance knows them.

They are defined one level up, because stores keep them and must not import governance.
"""

from runcycles_server.records import ApiKey, Setting, api_key_key, setting_key

__all__ = ["ApiKey", "Setting", "api_key_key", "setting_key"]
