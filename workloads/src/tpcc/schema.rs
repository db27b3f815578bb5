//! The nine tables (clause 1.3) and the two indexes that the transactions need.
//!
//! Money is in cents, taxes and discounts are in ten-thousandths, so all sums are exact. Columns
//! that are part of a table's key are in the key only. An update copies the row, so what is large
//! and hardly ever changes is behind an [`Arc`] in the customer and stock tables. Warehouse and
//! district rows are so hot that a shared counter of references would cost more than the copy: they
//! are inline.

use super::text::Text;
use crate::engine::Engine;
use mvcc::Schema;
use mvcc::codec::{Decode, DecodeError, Encode, fields};
use std::num::NonZeroU64;
use std::sync::Arc;

/// The cardinalities (clause 1.2.1), which tests scale down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Items; each warehouse has as many stock rows.
    pub items: u32,
    /// Districts of a warehouse.
    pub districts: u8,
    /// Customers of a district. It starts with as many orders: each customer has one (clause
    /// 4.3.3.1).
    pub customers: u32,
    /// The last orders of a district that start undelivered.
    pub undelivered: u32,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            items: 100_000,
            districts: 10,
            customers: 3_000,
            undelivered: 900,
        }
    }
}

impl Scale {
    /// How many different last names customers have (clause 4.3.3.1 gives the first thousand
    /// customers one each).
    pub fn last_names(&self) -> u32 {
        self.customers.min(1_000)
    }
}

/// The keys of the tables, each packed into one word: warehouse 16 bits, district 8, customer,
/// order or item 32, order line 8.
pub mod key {
    /// Warehouses that fit into a key.
    pub const MAX_WAREHOUSES: u32 = 0xffff;

    /// (`D_W_ID`, `D_ID`)
    #[inline]
    pub fn district(warehouse: u32, district: u8) -> u64 {
        u64::from(warehouse) << 8 | u64::from(district)
    }

    /// (`C_W_ID`, `C_D_ID`, `C_ID`)
    #[inline]
    pub fn customer(warehouse: u32, district: u8, customer: u32) -> u64 {
        self::district(warehouse, district) << 32 | u64::from(customer)
    }

    /// (`O_W_ID`, `O_D_ID`, `O_ID`), also of the new-order table.
    #[inline]
    pub fn order(warehouse: u32, district: u8, order: u32) -> u64 {
        self::district(warehouse, district) << 32 | u64::from(order)
    }

    /// `O_ID` of such a key.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower half is what is wanted"
    )]
    pub fn order_of(key: u64) -> u32 {
        key as u32
    }

    /// `O_D_ID` of such a key.
    #[inline]
    pub fn district_of(key: u64) -> u8 {
        key.to_be_bytes()[3]
    }

    /// (`OL_W_ID`, `OL_D_ID`, `OL_O_ID`, `OL_NUMBER`)
    #[inline]
    pub fn line(warehouse: u32, district: u8, order: u32, number: u8) -> u64 {
        line_of(self::order(warehouse, district, order), number)
    }

    /// The same from the order's key.
    #[inline]
    pub fn line_of(order: u64, number: u8) -> u64 {
        order << 8 | u64::from(number)
    }

    /// (`S_W_ID`, `S_I_ID`)
    #[inline]
    pub fn stock(warehouse: u32, item: u32) -> u64 {
        u64::from(warehouse) << 32 | u64::from(item)
    }
}

/// A payment's key. The table has no primary key in the specification; a thread's number and its
/// own count make one without a counter that all threads write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryKey {
    /// `H_W_ID`
    pub warehouse: u32,
    /// `H_D_ID`
    pub district: u8,
    /// The thread that paid, from 1; 0 is the initial population.
    pub thread: u32,
    /// The thread's count of payments.
    pub sequence: u32,
}

/// The index of the customers by name: ascending by first name within a last name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameKey {
    /// [`key::district`]
    pub district: u64,
    /// `C_LAST`
    pub last: Text<16>,
    /// `C_FIRST`
    pub first: Text<16>,
    /// `C_ID`
    pub customer: u32,
}

/// A point in time: microseconds since 1970.
pub type Moment = NonZeroU64;

/// Where a warehouse, a district or a customer is.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// `*_STREET_1` and `*_STREET_2`
    pub streets: [Text<20>; 2],
    /// `*_CITY`
    pub city: Text<20>,
    /// `*_STATE`
    pub state: Text<2>,
    /// `*_ZIP`
    pub zip: Text<9>,
}

/// A row of the warehouse table.
#[derive(Clone, Copy, Debug)]
pub struct Warehouse {
    /// `W_NAME`
    pub name: Text<10>,
    /// `W_STREET_1` to `W_ZIP`
    pub address: Address,
    /// `W_TAX`, ten-thousandths
    pub tax: u16,
    /// `W_YTD`, cents
    pub ytd: i64,
}

/// A row of the district table.
#[derive(Clone, Copy, Debug)]
pub struct District {
    /// `D_NAME`
    pub name: Text<10>,
    /// `D_STREET_1` to `D_ZIP`
    pub address: Address,
    /// `D_TAX`, ten-thousandths
    pub tax: u16,
    /// `D_YTD`, cents
    pub ytd: i64,
    /// `D_NEXT_O_ID`
    pub next_order: u32,
}

/// `C_CREDIT`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// `GC`
    Good,
    /// `BC`
    Bad,
}

/// A row of the customer table.
#[derive(Clone, Debug)]
pub struct Customer {
    /// `C_LAST`, here because new-order reads no other of the details
    pub last: Text<16>,
    /// `C_CREDIT`
    pub credit: Credit,
    /// `C_DISCOUNT`, ten-thousandths
    pub discount: u16,
    /// `C_BALANCE`, cents
    pub balance: i64,
    /// `C_YTD_PAYMENT`, cents
    pub ytd_payment: i64,
    /// `C_PAYMENT_CNT`
    pub payments: u32,
    /// `C_DELIVERY_CNT`
    pub deliveries: u32,
    /// The columns that only a payment of a customer with bad credit changes.
    pub details: Arc<CustomerDetails>,
}

/// The columns of a customer that hardly ever change.
#[derive(Clone, Debug)]
pub struct CustomerDetails {
    /// `C_FIRST`
    pub first: Text<16>,
    /// `C_MIDDLE`
    pub middle: Text<2>,
    /// `C_STREET_1` to `C_ZIP`
    pub address: Address,
    /// `C_PHONE`
    pub phone: Text<16>,
    /// `C_SINCE`
    pub since: Moment,
    /// `C_CREDIT_LIM`, cents
    pub credit_limit: i64,
    /// `C_DATA`, up to 500 bytes
    pub data: Arc<str>,
}

/// A row of the history table.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// [`key::customer`] of `H_C_W_ID`, `H_C_D_ID`, `H_C_ID`
    pub customer: u64,
    /// `H_DATE`
    pub date: Moment,
    /// `H_AMOUNT`, cents
    pub amount: i64,
    /// `H_DATA`
    pub data: Text<24>,
}

/// A row of the order table.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// `O_C_ID`
    pub customer: u32,
    /// `O_ENTRY_D`
    pub entry: Moment,
    /// `O_CARRIER_ID`
    pub carrier: Option<u8>,
    /// `O_OL_CNT`
    pub lines: u8,
    /// `O_ALL_LOCAL`
    pub all_local: bool,
}

/// A row of the order-line table.
#[derive(Clone, Copy, Debug)]
pub struct OrderLine {
    /// `OL_I_ID`
    pub item: u32,
    /// `OL_SUPPLY_W_ID`
    pub supply_warehouse: u32,
    /// `OL_DELIVERY_D`
    pub delivery: Option<Moment>,
    /// `OL_AMOUNT`, cents
    pub amount: i64,
    /// `OL_QUANTITY`
    pub quantity: u8,
    /// `OL_DIST_INFO`
    pub dist_info: Text<24>,
}

/// A row of the item table.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// `I_IM_ID`
    pub image: u32,
    /// `I_PRICE`, cents
    pub price: i64,
    /// `I_NAME`
    pub name: Text<24>,
    /// `I_DATA`
    pub data: Text<50>,
}

/// A row of the stock table.
#[derive(Clone, Debug)]
pub struct Stock {
    /// `S_QUANTITY`
    pub quantity: i32,
    /// `S_YTD`
    pub ytd: u32,
    /// `S_ORDER_CNT`
    pub orders: u32,
    /// `S_REMOTE_CNT`
    pub remote_orders: u32,
    /// The columns that no transaction changes.
    pub details: Arc<StockDetails>,
}

/// The columns of a stock row that no transaction changes.
#[derive(Clone, Debug)]
pub struct StockDetails {
    /// `S_DIST_01` to `S_DIST_10`
    pub dist_info: [Text<24>; 10],
    /// `S_DATA`
    pub data: Text<50>,
}

impl StockDetails {
    /// The text for a district, from 1; a scale with more than ten districts starts over.
    #[inline]
    pub fn district(&self, district: u8) -> Text<24> {
        self.dist_info[usize::from(district - 1) % self.dist_info.len()]
    }
}

/// The database: the tables and how much is in them.
#[derive(Clone)]
pub struct Tables<E: Engine> {
    /// How large the tables are.
    pub scale: Scale,
    /// Warehouses, numbered from 1.
    pub warehouses: u32,
    /// By number.
    pub warehouse: E::Table<u32, Warehouse>,
    /// By [`key::district`].
    pub district: E::Table<u64, District>,
    /// By [`key::customer`].
    pub customer: E::Table<u64, Customer>,
    /// By number.
    pub item: E::Table<u32, Item>,
    /// By [`key::stock`].
    pub stock: E::Table<u64, Stock>,
    /// By [`key::order`].
    pub order: E::Table<u64, Order>,
    /// By [`key::line`].
    pub line: E::Table<u64, OrderLine>,
    /// By [`key::order`], ordered: a delivery takes a district's first.
    pub new_order: E::OrderedTable<u64, ()>,
    /// Ordered, so that the consistency conditions can sum up a warehouse's payments.
    pub history: E::OrderedTable<HistoryKey, History>,
    /// The customers by name.
    pub name: E::OrderedTable<NameKey, ()>,
    /// The orders by customer: [`key::customer`] and `O_ID`.
    pub customer_order: E::OrderedTable<(u64, u32), ()>,
}

impl<E: Engine> Tables<E> {
    /// Opens or creates the tables, as they are.
    ///
    /// # Errors
    /// The engine's message.
    pub fn open(engine: &E, scale: Scale, warehouses: u32) -> Result<Self, String> {
        Ok(Self {
            scale,
            warehouses,
            warehouse: engine.table("warehouse")?,
            district: engine.table("district")?,
            customer: engine.table("customer")?,
            item: engine.table("item")?,
            stock: engine.table("stock")?,
            order: engine.table("order")?,
            line: engine.table("order-line")?,
            new_order: engine.ordered_table("new-order")?,
            history: engine.ordered_table("history")?,
            name: engine.ordered_table("customer by name")?,
            customer_order: engine.ordered_table("order by customer")?,
        })
    }
}

fields!(HistoryKey {
    warehouse,
    district,
    thread,
    sequence
});
fields!(NameKey {
    district,
    last,
    first,
    customer
});
fields!(Address {
    streets,
    city,
    state,
    zip
});
fields!(Warehouse {
    name,
    address,
    tax,
    ytd
});
fields!(District {
    name,
    address,
    tax,
    ytd,
    next_order
});
fields!(Customer {
    last,
    credit,
    discount,
    balance,
    ytd_payment,
    payments,
    deliveries,
    details
});
fields!(CustomerDetails {
    first,
    middle,
    address,
    phone,
    since,
    credit_limit,
    data
});
fields!(History {
    customer,
    date,
    amount,
    data
});
fields!(Order {
    customer,
    entry,
    carrier,
    lines,
    all_local
});
fields!(OrderLine {
    item,
    supply_warehouse,
    delivery,
    amount,
    quantity,
    dist_info
});
fields!(Item {
    image,
    price,
    name,
    data
});
fields!(Stock {
    quantity,
    ytd,
    orders,
    remote_orders,
    details
});
fields!(StockDetails { dist_info, data });

impl Encode for Credit {
    fn encode(&self, into: &mut Vec<u8>) {
        (*self == Self::Good).encode(into);
    }
}

impl Decode for Credit {
    fn decode(from: &mut &[u8]) -> Result<Self, DecodeError> {
        Ok(if bool::decode(from)? {
            Self::Good
        } else {
            Self::Bad
        })
    }
}

/// Declares the tables of a durable engine, under the names by which [`Tables::open`] finds them.
pub fn declare(tables: &mut Schema) {
    tables.table::<u32, Warehouse>("warehouse");
    tables.table::<u64, District>("district");
    tables.table::<u64, Customer>("customer");
    tables.table::<u32, Item>("item");
    tables.table::<u64, Stock>("stock");
    tables.table::<u64, Order>("order");
    tables.table::<u64, OrderLine>("order-line");
    tables.ordered_table::<u64, ()>("new-order");
    tables.ordered_table::<HistoryKey, History>("history");
    tables.ordered_table::<NameKey, ()>("customer by name");
    tables.ordered_table::<(u64, u32), ()>("order by customer");
}
