from tests.infra.inventory.listing import write
from tests.infra.mutations import table

write()
table.write()
