"""The base of a plugin's settings model. Loaded only when a stack sets something."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Derive from it, nested models too: an unknown key is then an error, and no error text repeats what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
